namespace Fairlead.Cli.Local;

/// <summary>Paths of the local API with what a person typed in them, escaped.</summary>
internal static class LocalPath
{
    public static string Below(string path, params string[] segments) => path + string.Concat(segments.Select(s => "/" + Uri.EscapeDataString(s)));

    /// <summary>Adds a query parameter; a null value adds nothing.</summary>
    public static string With(string path, string name, string? value) =>
        value is null ? path : $"{path}{(path.Contains('?') ? '&' : '?')}{name}={Uri.EscapeDataString(value)}";
}
