namespace Fairlead.Testbed;

/// <summary>The programs under test, as ./test and ./quickstart build them.</summary>
public static class Programs
{
    public static string Root { get; } = FindRoot();

    public static string Fairlead { get; } = Path.Combine(Root, "bin", "fairlead");

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Fairlead.slnx")))
            {
                return directory.FullName;
            }
        }

        throw new InvalidOperationException("the end-to-end tests run inside a checkout");
    }
}
