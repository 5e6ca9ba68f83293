namespace Fairlead.Linux.Namespaces;

/// <summary>What .NET does not do with files: lchown(2), and rename(2) of a symbolic link to a directory.</summary>
public static class HostFiles
{
    private const uint Unchanged = uint.MaxValue;

    /// <summary>Sets user and group of a file or link; null leaves one as it is.</summary>
    public static void ChangeOwner(string path, int? user, int? group)
    {
        if (NamespaceCalls.ChangeOwner(path, user is { } u ? (uint)u : Unchanged, group is { } g ? (uint)g : Unchanged) != 0)
        {
            throw NamespaceCalls.Failure($"cannot change the owner of {path}");
        }
    }

    /// <summary>Makes <paramref name="link"/> a symbolic link to <paramref name="target"/>, in one step when there was one already.</summary>
    public static void ReplaceLink(string link, string target)
    {
        var next = link + ".new";
        File.Delete(next);
        File.CreateSymbolicLink(next, target);
        if (NamespaceCalls.Rename(next, link) != 0)
        {
            throw NamespaceCalls.Failure($"cannot replace {link}");
        }
    }
}
