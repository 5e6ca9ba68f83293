namespace Fairlead.Daemon.Spaces;

/// <summary>What a person is told when the gateway and this program are of different versions. They understand each other all the same: the protocol was agreed.</summary>
internal static class VersionDifference
{
    /// <returns>Null where there is none.</returns>
    public static string? Describe(string gateway, string own)
    {
        if (gateway == own)
        {
            return null;
        }

        var advice = Parse(gateway)?.CompareTo(Parse(own)) switch
        {
            > 0 => "upgrade fairlead on this machine",
            < 0 => "have the gateway upgraded: 'fairlead gateway upgrade'",
            _ => "use the same build on both sides",
        };
        return $"the gateway is of version {Clean(gateway)}, this is {own}: {advice}";
    }

    /// <summary>The numbers before a suffix (Semantic Versioning 2.0.0).</summary>
    private static Version? Parse(string text) => Version.TryParse(text.Split('-', '+')[0], out var version) ? version : null;

    /// <summary>It ends up on a terminal.</summary>
    private static string Clean(string text) => string.Concat(text.Take(64).Where(c => !char.IsControl(c)));
}
