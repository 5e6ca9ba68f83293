using System.Globalization;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>How long ago, in the short form that kubectl shows: 42s, 5m10s, 3h4m, 2d5h, 40d.</summary>
internal static class Ages
{
    public static string Of(string? timestamp, DateTimeOffset now) =>
        DateTimeOffset.TryParse(timestamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var then)
            ? Of(now - then)
            : "<unknown>";

    public static string Of(TimeSpan age)
    {
        var seconds = (long)Math.Max(0, age.TotalSeconds);
        return seconds switch
        {
            < 120 => $"{seconds}s",
            < 600 => Pair(seconds / 60, "m", seconds % 60, "s"),
            < 3 * 3600 => $"{seconds / 60}m",
            < 8 * 3600 => Pair(seconds / 3600, "h", seconds / 60 % 60, "m"),
            < 48 * 3600 => $"{seconds / 3600}h",
            < 8 * 86400 => Pair(seconds / 86400, "d", seconds / 3600 % 24, "h"),
            < 2 * 365 * 86400L => $"{seconds / 86400}d",
            < 8 * 365 * 86400L => Pair(seconds / 86400 / 365, "y", seconds / 86400 % 365, "d"),
            _ => $"{seconds / 86400 / 365}y",
        };
    }

    private static string Pair(long large, string largeUnit, long small, string smallUnit) =>
        small == 0 ? $"{large}{largeUnit}" : $"{large}{largeUnit}{small}{smallUnit}";
}
