using System.Net;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Zones;

/// <summary>What is answered from memory, and what becomes of the names around it. An immutable snapshot.</summary>
public sealed class Zone
{
    public static readonly Zone Empty = new([], []);

    private readonly Dictionary<byte[], ZoneName> names;
    private readonly Dictionary<byte[], ZoneName>.AlternateLookup<ReadOnlySpan<byte>> byOctets;
    private readonly Dictionary<byte[], ZoneSuffix>.AlternateLookup<ReadOnlySpan<byte>> suffixes;

    /// <param name="names">Of two with one name the first counts; those at or below an excluded suffix are left out.</param>
    /// <param name="suffixes">Of two that are equal, an excluded one counts, else the first.</param>
    public Zone(IEnumerable<ZoneName> names, IEnumerable<ZoneSuffix> suffixes)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(suffixes);
        var table = new Dictionary<byte[], ZoneSuffix>(OctetComparer.Instance);
        foreach (var suffix in suffixes)
        {
            var key = suffix.Suffix.ToLowerArray();
            if (suffix.Use == SuffixUse.Excluded || !table.ContainsKey(key))
            {
                table[key] = suffix;
            }
        }

        this.suffixes = table.GetAlternateLookup<ReadOnlySpan<byte>>();
        Suffixes = [.. table.Values];
        var excludes = Suffixes.Any(suffix => suffix.Use == SuffixUse.Excluded);
        this.names = new Dictionary<byte[], ZoneName>(OctetComparer.Instance);
        foreach (var name in names)
        {
            var key = name.Name.ToLowerArray();
            if (!excludes || !IsExcluded(key))
            {
                this.names.TryAdd(key, name);
            }
        }

        AddAncestors();

        byOctets = this.names.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public int Count => names.Count;

    public IReadOnlyList<ZoneSuffix> Suffixes { get; }

    /// <summary>In no order; with those that have no records but names below them.</summary>
    public IReadOnlyCollection<ZoneName> Names => names.Values;

    public ZoneName? Find(DnsName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Span<byte> lower = stackalloc byte[DnsName.MaxWireLength];
        return Find(lower[..name.CopyLower(lower)]);
    }

    /// <summary>The longest suffix that the name is at or below.</summary>
    public ZoneSuffix? FindSuffix(DnsName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Span<byte> lower = stackalloc byte[DnsName.MaxWireLength];
        return FindSuffix(lower[..name.CopyLower(lower)]);
    }

    /// <param name="lower">Wire form in lower case.</param>
    internal ZoneName? Find(ReadOnlySpan<byte> lower) => byOctets.TryGetValue(lower, out var name) ? name : null;

    /// <summary>A name below which others are exists, too, though it has no records (RFC 8020): denying it would deny them.</summary>
    private void AddAncestors()
    {
        foreach (var name in names.Values.ToList())
        {
            for (var parent = name.Name.Parent; FindSuffix(parent) is { Use: SuffixUse.Owned } owned && owned.Suffix != parent; parent = parent.Parent)
            {
                if (!names.TryAdd(parent.ToLowerArray(), new ZoneName(parent, []) { Cluster = owned.Cluster }))
                {
                    break;
                }
            }
        }
    }

    private bool IsExcluded(ReadOnlySpan<byte> lower)
    {
        // Also by a shorter suffix than one that is owned: whoever excludes example.com means all of it.
        for (; lower[0] != 0; lower = lower[(lower[0] + 1)..])
        {
            if (suffixes.TryGetValue(lower, out var suffix) && suffix.Use == SuffixUse.Excluded)
            {
                return true;
            }
        }

        return false;
    }

    private ZoneSuffix? FindSuffix(ReadOnlySpan<byte> lower)
    {
        if (IsExcluded(lower))
        {
            return new ZoneSuffix(DnsName.Root, SuffixUse.Excluded);
        }

        for (; ; lower = lower[(lower[0] + 1)..])
        {
            if (suffixes.TryGetValue(lower, out var suffix))
            {
                return suffix;
            }

            if (lower[0] == 0)
            {
                return null;
            }
        }
    }

    /// <summary>Programs ask again for addresses after so long, seconds: short, because a plan may give a name another one.</summary>
    public const uint TimeToLive = 5;

    /// <summary>All records of a name that are known here, of a type (or any).</summary>
    /// <param name="name">The asked name, in the case in which it was asked.</param>
    public static IReadOnlyList<DnsRecord> Records(ZoneName known, DnsName name, DnsType type)
    {
        ArgumentNullException.ThrowIfNull(known);
        if (known.Alias is { } alias)
        {
            return [new DnsRecord(name, DnsType.CName, TimeToLive, new NameData(alias))];
        }

        var records = new List<DnsRecord>();
        if (type is DnsType.A or DnsType.Any)
        {
            records.AddRange(known.IPv4.Select(address => DnsRecord.Address(name, TimeToLive, address)));
        }

        if (type is DnsType.Aaaa or DnsType.Any)
        {
            records.AddRange(known.IPv6.Select(address => DnsRecord.Address(name, TimeToLive, address)));
        }

        if (type is DnsType.Srv or DnsType.Any)
        {
            records.AddRange(Services(known, name, known.Ports));
        }

        if (type is DnsType.Ptr or DnsType.Any && known.Pointer is { } pointer)
        {
            records.Add(new DnsRecord(name, DnsType.Ptr, TimeToLive, new NameData(pointer)));
        }

        return records;
    }

    /// <summary>What is known of <c>_port._protocol</c> below a name of the zone: its SRV records (RFC 2782, as the DNS of Kubernetes has them).</summary>
    /// <param name="owner">The name above, when <paramref name="name"/> is such a name and there is such a port.</param>
    public IReadOnlyList<DnsRecord>? FindServices(DnsName name, out ZoneName? owner)
    {
        ArgumentNullException.ThrowIfNull(name);
        owner = null;
        if (name.Labels is not [['_', .. var port], ['_', .. var protocol], ..] || Find(name.Parent.Parent) is not { } known)
        {
            return null;
        }

        var isUdp = protocol.Equals("udp", StringComparison.OrdinalIgnoreCase);
        if (!isUdp && !protocol.Equals("tcp", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var ports = known.Ports.Where(candidate => candidate.IsUdp == isUdp && candidate.Name.Equals(port, StringComparison.OrdinalIgnoreCase)).ToList();
        owner = ports.Count > 0 ? known : null;
        return ports.Count > 0 ? [.. Services(known, name, ports)] : null;
    }

    private static IEnumerable<DnsRecord> Services(ZoneName known, DnsName name, IEnumerable<ZonePort> ports)
    {
        IReadOnlyList<DnsName> targets = known.Endpoints.Count > 0 ? known.Endpoints : [known.Name];

        // Of equal preference: weights that share a hundred, as the DNS of Kubernetes gives them.
        var weight = (ushort)Math.Max(1, 100 / targets.Count);
        return ports.Where(port => port.Name.Length > 0).SelectMany(port => targets.Select(target => new DnsRecord(name, DnsType.Srv, TimeToLive, new ServiceData(0, weight, port.Port, target))));
    }
}
