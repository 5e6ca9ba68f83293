namespace Fairlead.Testbed;

/// <summary>The programs under test, as ./test and ./quickstart build them.</summary>
public static class Programs
{
    public static string Root { get; } = FindRoot();

    public static string Fairlead { get; } = Path.Combine(Root, "bin", "fairlead");

    /// <summary>An image's reference as values of the gateway.</summary>
    public static string ImageValues(string image)
    {
        if (image.IndexOf('@', StringComparison.Ordinal) is > 0 and var at)
        {
            return $"image.repository={image[..at]},image.digest={image[(at + 1)..]}";
        }

        var colon = image.LastIndexOf(':');
        return colon > image.LastIndexOf('/') ? $"image.repository={image[..colon]},image.tag={image[(colon + 1)..]}" : $"image.repository={image},image.tag=latest";
    }

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
