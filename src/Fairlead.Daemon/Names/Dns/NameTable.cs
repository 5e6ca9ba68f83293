using System.Net;
using System.Net.Sockets;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>What one part of the daemon (consume, connect) wants to be answered. Immutable; made by <see cref="ConsumeNameTable"/> and <see cref="ConnectNameTable"/>.</summary>
/// <param name="Search">Suffixes that are tried for short names.</param>
/// <param name="Device">The virtual interface that the names lead to, if they do.</param>
internal sealed record NameTable(IReadOnlyList<ZoneName> Names, IReadOnlyList<ZoneSuffix> Suffixes, IReadOnlyList<string> Search, string? Device = null)
{
    public static readonly NameTable Empty = new([], [], []);

    /// <summary>
    /// The zone of all tables together and the settings. Mappings come first, then the tables in their order.
    /// </summary>
    /// <param name="cluster">Whom the included suffixes are asked of; null while no space is in use.</param>
    public static Zone ToZone(IEnumerable<NameTable> tables, NameSettings settings, IClusterDns? cluster)
    {
        var all = tables.ToList();
        var mapped = settings.AliasedNames.Select(mapping => (Name: DnsName.Parse(mapping.Alias), mapping.Target)).Select(mapping => IPAddress.TryParse(mapping.Target, out var address)
            ? new ZoneName(mapping.Name, [address])
            : new ZoneName(mapping.Name, []) { Alias = DnsName.Parse(mapping.Target) });
        var included = cluster is null ? [] : settings.IncludeSuffixes.Select(suffix => new ZoneSuffix(DnsName.Parse(suffix), SuffixUse.Cluster, cluster));
        var excluded = settings.ExcludeSuffixes.Select(suffix => new ZoneSuffix(DnsName.Parse(suffix), SuffixUse.Excluded));
        return new Zone(mapped.Concat(all.SelectMany(table => table.Names)), [.. all.SelectMany(table => table.Suffixes), .. included, .. excluded]);
    }

    /// <summary>
    /// Suffixes whose names must be asked of us, for resolvers that can tell names apart: those of the zone, and names of it that are below none of them.
    /// </summary>
    public static IReadOnlyList<string> Domains(Zone zone, NameSettings settings) =>
    [
        .. zone.Suffixes.Where(suffix => suffix.Use != SuffixUse.Excluded).Select(suffix => suffix.Suffix.ToString())
            .Concat(settings.AliasedNames.Select(mapping => mapping.Alias).Where(alias => zone.FindSuffix(DnsName.Parse(alias)) is null))
            .Distinct(StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal),
    ];

    /// <summary>The name by which the DNS knows an address (RFC 1035 §3.5, RFC 3596 §2.5).</summary>
    public static DnsName ReverseName(IPAddress address)
    {
        var octets = address.GetAddressBytes();
        return DnsName.Parse(address.AddressFamily == AddressFamily.InterNetwork
            ? $"{octets[3]}.{octets[2]}.{octets[1]}.{octets[0]}.in-addr.arpa"
            : string.Concat(octets.Reverse().Select(octet => $"{octet & 0xf:x}.{octet >> 4:x}.")) + "ip6.arpa");
    }

    /// <summary>The suffixes of all reverse names of a network, cut at octets (IPv4) or at four bits (IPv6): up to 255 of them.</summary>
    public static IEnumerable<DnsName> ReverseSuffixes(IPNetwork network)
    {
        var isIPv4 = network.BaseAddress.AddressFamily == AddressFamily.InterNetwork;
        var unit = isIPv4 ? 8 : 4;
        var octets = network.BaseAddress.GetAddressBytes();
        var units = Math.Max(1, (network.PrefixLength + unit - 1) / unit);
        var free = (units * unit) - network.PrefixLength;
        for (var i = 0; i < 1 << free; i++)
        {
            var address = (byte[])octets.Clone();
            var bit = units * unit;
            address[(bit - 1) / 8] |= (byte)(isIPv4 || bit % 8 == 0 ? i : i << 4);
            var labels = isIPv4
                ? address.Take(units).Reverse().Select(octet => octet.ToString(System.Globalization.CultureInfo.InvariantCulture))
                : Enumerable.Range(0, units).Reverse().Select(at => $"{(at % 2 == 0 ? address[at / 2] >> 4 : address[at / 2] & 0xf):x}");
            yield return DnsName.Parse(string.Join('.', labels) + (isIPv4 ? ".in-addr.arpa" : ".ip6.arpa"));
        }
    }
}
