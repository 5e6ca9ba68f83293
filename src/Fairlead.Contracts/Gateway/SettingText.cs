using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Fairlead.Contracts.Gateway;

/// <summary>How the values of <see cref="ClientSettingKeys"/> are written; the admin's side and the laptop's judge them alike.</summary>
public static partial class SettingText
{
    /// <summary>Entries of one list: far above what people route by hand.</summary>
    public const int MaxEntries = 256;

    /// <summary>The entries of a comma-separated list, without blanks.</summary>
    public static IReadOnlyList<string> Entries(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>A CIDR, IPv4 or IPv6, with no bit set beyond its prefix.</summary>
    public static bool IsNetwork(string text) =>
        text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash && IPNetwork.TryParse(text, out var network)
        && IPAddress.TryParse(text.AsSpan(0, slash), out var address) && address.Equals(network.BaseAddress);

    /// <summary>An IPv4 network of at least 256 addresses.</summary>
    public static bool IsVirtualSubnet(string text) =>
        IsNetwork(text) && IPNetwork.Parse(text) is { BaseAddress.AddressFamily: AddressFamily.InterNetwork, PrefixLength: >= 8 and <= 24 };

    /// <summary>A DNS suffix such as <c>corp.example.com</c>, with or without a leading dot (RFC 1123 labels and underscores).</summary>
    public static bool IsDomain(string text) => text.Length <= 253 && Domain().IsMatch(text);

    /// <summary>A name and what it stands for, a name or an address: <c>db=postgres.shop</c>.</summary>
    public static bool IsMapping(string text) => text.Split('=') is [var alias, var target] && IsDomain(alias) && !alias.StartsWith('.')
        && (IPAddress.TryParse(target, out _) || (IsDomain(target) && !target.StartsWith('.')));

    [GeneratedRegex(@"^\.?([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Domain();
}
