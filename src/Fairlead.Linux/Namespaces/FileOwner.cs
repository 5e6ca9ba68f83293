namespace Fairlead.Linux.Namespaces;

/// <summary>lchown(2).</summary>
public static class FileOwner
{
    private const uint Unchanged = uint.MaxValue;

    /// <summary>Sets user and group of a file or link; null leaves one as it is.</summary>
    public static void Change(string path, int? user, int? group)
    {
        if (NamespaceCalls.ChangeOwner(path, user is { } u ? (uint)u : Unchanged, group is { } g ? (uint)g : Unchanged) != 0)
        {
            throw NamespaceCalls.Failure($"cannot change the owner of {path}");
        }
    }
}
