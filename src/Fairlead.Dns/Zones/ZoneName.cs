using System.Net;
using System.Net.Sockets;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Zones;

/// <summary>One name that is answered from memory, and all that is known of it. Immutable.</summary>
public sealed class ZoneName
{
    public ZoneName(DnsName name, IReadOnlyList<IPAddress> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        Name = name;
        IPv4 = [.. addresses.Where(address => address.AddressFamily == AddressFamily.InterNetwork)];
        IPv6 = [.. addresses.Where(address => address.AddressFamily == AddressFamily.InterNetworkV6)];
    }

    public DnsName Name { get; }

    internal IPAddress[] IPv4 { get; }

    internal IPAddress[] IPv6 { get; }

    /// <summary>Another name for this one; then there are no addresses.</summary>
    public DnsName? Alias { get; init; }

    /// <summary>SRV, at this name and at <c>_port._protocol</c> below it.</summary>
    public IReadOnlyList<ZonePort> Ports { get; init; } = [];

    /// <summary>Names of the single endpoints that SRV leads to; empty: to this name itself.</summary>
    public IReadOnlyList<DnsName> Endpoints { get; init; } = [];

    /// <summary>PTR.</summary>
    public DnsName? Pointer { get; init; }

    /// <summary>Null: a name of this machine's own, which needs no cluster.</summary>
    public IClusterDns? Cluster { get; init; }

    /// <summary>By which name the cluster's DNS knows it, for record types that are not here; null: there are none.</summary>
    public DnsName? ClusterName { get; init; }

    /// <summary>Answered at once, without a look at anything but this.</summary>
    internal bool IsPlain => Alias is null;
}

/// <param name="Name">Empty: it has none, and no SRV record.</param>
public sealed record ZonePort(string Name, bool IsUdp, ushort Port);

/// <summary>What becomes of names at or below a suffix that are not in the zone. The longest suffix decides.</summary>
public enum SuffixUse
{
    /// <summary>There are no other names: denied; or SERVFAIL while the cluster is out of reach.</summary>
    Owned,

    /// <summary>The cluster's DNS is asked.</summary>
    Cluster,

    /// <summary>The host's own resolvers are asked; what they deny may exist in the zone at the next moment, so nobody may remember it.</summary>
    Fleeting,

    /// <summary>The host's own resolvers are asked, also for names that the zone would have.</summary>
    Excluded,
}

/// <param name="Cluster">For <see cref="SuffixUse.Owned"/> (null: this machine's own) and <see cref="SuffixUse.Cluster"/>.</param>
public sealed record ZoneSuffix(DnsName Suffix, SuffixUse Use, IClusterDns? Cluster = null);
