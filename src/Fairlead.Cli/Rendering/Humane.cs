namespace Fairlead.Cli.Rendering;

/// <summary>Numbers and times as people say them.</summary>
internal static class Humane
{
    public static string Age(TimeSpan age) => age switch
    {
        { TotalSeconds: < 0 } => "0s",
        { TotalSeconds: < 120 } => $"{(int)age.TotalSeconds}s",
        { TotalMinutes: < 120 } => $"{(int)age.TotalMinutes}m",
        { TotalHours: < 48 } => $"{(int)age.TotalHours}h",
        _ => $"{(int)age.TotalDays}d",
    };

    /// <summary>In powers of 1024, as the kernel counts.</summary>
    public static string Bytes(long bytes)
    {
        if (bytes < 1024)
        {
            return $"{bytes} B";
        }

        var value = bytes / 1024.0;
        var unit = 0;
        string[] units = ["KiB", "MiB", "GiB", "TiB"];
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value >= 100 ? $"{value:F0} {units[unit]}" : $"{value:F1} {units[unit]}";
    }

    public static string Plural(int count, string one, string? many = null) => count == 1 ? $"1 {one}" : $"{count} {many ?? one + "s"}";

    /// <summary><c>30d</c>, <c>12h</c>, <c>90m</c>, <c>45s</c>; null when it is none of them or not positive.</summary>
    public static TimeSpan? ParseDuration(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, null, out var count) || count == 0 || count > 1_000_000)
        {
            return null;
        }

        return text[^1] switch
        {
            'd' => TimeSpan.FromDays(count),
            'h' => TimeSpan.FromHours(count),
            'm' => TimeSpan.FromMinutes(count),
            's' => TimeSpan.FromSeconds(count),
            _ => null,
        };
    }
}
