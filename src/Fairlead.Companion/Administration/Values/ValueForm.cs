using System.Text.RegularExpressions;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Companion.Administration.Values;

/// <summary>Kinds of text.</summary>
internal enum ValueForm
{
    Text,

    /// <summary>RFC 1123 label: names of spaces and namespaces.</summary>
    Label,

    /// <summary>RFC 1123 subdomain: names of other objects, host names.</summary>
    Subdomain,
    ImageRepository,
    ImageTag,
    ImageDigest,

    /// <summary>host:apiPort:dataPort.</summary>
    Endpoint,
    Network,
    VirtualSubnet,
    Domain,
    Address,
}

/// <summary>How each form is written: a pattern, which the chart's schema has too (ECMA-262 and RE2 read it alike), and what no pattern says.</summary>
internal static class ValueForms
{
    private const string LabelPattern = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

    /// <param name="What">For people, after "is not".</param>
    /// <param name="Check">Beyond the pattern.</param>
    public sealed record Rule(string Pattern, string What, Func<string, bool>? Check = null);

    private static readonly Dictionary<ValueForm, Rule> Rules = new()
    {
        [ValueForm.Label] = new($"^{LabelPattern}$", "a name of up to 63 lower-case letters, digits and inner hyphens"),
        [ValueForm.Subdomain] = new($@"^{LabelPattern}(\.{LabelPattern})*$", "a name of lower-case letters, digits, hyphens and dots", text => text.Length <= 253),
        [ValueForm.ImageRepository] = new("^[a-z0-9]([a-zA-Z0-9._/-]|:[0-9]+/){0,254}$", "an image's name without its tag, such as 'registry.example.com/fairlead'"),
        [ValueForm.ImageTag] = new("^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$", "an image's tag"),
        [ValueForm.ImageDigest] = new("^sha256:[0-9a-f]{64}$", "an image's digest, 'sha256:' and 64 hexadecimal digits"),
        [ValueForm.Endpoint] = new(@"^([a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}:[0-9]{1,5}$", "an endpoint, HOST:API-PORT:DATA-PORT (a data port of 0: only the API's port is reached)", IsEndpoint),
        [ValueForm.Network] = new("^[0-9a-fA-F.:]+/[0-9]{1,3}$", "a network such as '10.0.0.0/8'", SettingText.IsNetwork),
        [ValueForm.VirtualSubnet] = new("^[0-9.]+/[0-9]{1,2}$", "an IPv4 network of /8 to /24, such as '246.0.0.0/8'", SettingText.IsVirtualSubnet),
        [ValueForm.Domain] = new("^[a-zA-Z0-9_.-]{1,253}$", "a domain such as 'corp.example.com'", SettingText.IsDomain),
        [ValueForm.Address] = new("^[0-9a-fA-F.:]+$", "an IP address", text => System.Net.IPAddress.TryParse(text, out var address) && (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 || address.ToString() == text)),
    };

    /// <summary>Null for any text.</summary>
    public static Rule? Of(ValueForm form) => Rules.GetValueOrDefault(form);

    public static bool Fits(ValueForm form, string text) =>
        Of(form) is not { } rule || (Regex.IsMatch(text, rule.Pattern.Replace("$", @"\z", StringComparison.Ordinal), RegexOptions.CultureInvariant | RegexOptions.NonBacktracking) && rule.Check?.Invoke(text) != false);

    private static bool IsEndpoint(string text) =>
        text.Split(':') is [.., var api, var data] && int.Parse(api, System.Globalization.CultureInfo.InvariantCulture) is > 0 and <= 65535
        && int.Parse(data, System.Globalization.CultureInfo.InvariantCulture) <= 65535
        && Uri.CheckHostName(text[..^(api.Length + data.Length + 2)]) != UriHostNameType.Unknown;
}
