using System.Globalization;
using System.Net;
using Fairlead.Dns.Messages;

namespace Fairlead.Gateway.Dns;

/// <summary>Names that addresses have in the DNS: <c>7.0.96.10.in-addr.arpa</c> (RFC 1035 §3.5), nibbles under <c>ip6.arpa</c> (RFC 3596 §2.5).</summary>
internal static class ReverseName
{
    private const int V4Labels = 4;
    private const int V6Labels = 32;

    /// <summary>The whole address, or null where the name is none's.</summary>
    public static IPAddress? Parse(DnsName name)
    {
        var labels = name.Labels;
        return labels.Count switch
        {
            V4Labels + 2 when EndsWith(labels, "in-addr") => ParseV4(labels),
            V6Labels + 2 when EndsWith(labels, "ip6") => ParseV6(labels),
            _ => null,
        };
    }

    private static bool EndsWith(IReadOnlyList<string> labels, string zone) =>
        labels[^1].Equals("arpa", StringComparison.OrdinalIgnoreCase) && labels[^2].Equals(zone, StringComparison.OrdinalIgnoreCase);

    private static IPAddress? ParseV4(IReadOnlyList<string> labels)
    {
        var bytes = new byte[V4Labels];
        for (var i = 0; i < V4Labels; i++)
        {
            if (!byte.TryParse(labels[V4Labels - 1 - i], NumberStyles.None, CultureInfo.InvariantCulture, out bytes[i]))
            {
                return null;
            }
        }

        return new IPAddress(bytes);
    }

    private static IPAddress? ParseV6(IReadOnlyList<string> labels)
    {
        var digits = string.Concat(labels.Take(V6Labels).Reverse());
        return digits.Length == V6Labels && digits.All(char.IsAsciiHexDigit) ? new IPAddress(Convert.FromHexString(digits)) : null;
    }
}
