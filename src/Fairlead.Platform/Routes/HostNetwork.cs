using System.Net;
using System.Net.Sockets;

namespace Fairlead.Platform.Routes;

/// <summary>Where this host sends packets, as the kernel told it at one moment: every route of every table, and the rules that lead to the tables.</summary>
/// <param name="Routes">One for each next hop. Those that Fairlead itself applied are left out.</param>
/// <param name="Rules">In the order in which the kernel asks them, each family for itself. Those of Fairlead are left out.</param>
public sealed record HostNetwork(
    IReadOnlyList<HostRoute> Routes,
    IReadOnlyList<HostRule> Rules,
    IReadOnlyList<HostLink> Links,
    IReadOnlyList<HostAddress> Addresses)
{
    public static readonly HostNetwork Empty = new([], [], [], []);

    /// <summary>False where IPv6 is switched off: no interface has such an address, not even the loopback one.</summary>
    public bool HasIPv6 => Addresses.Any(address => address.Address.AddressFamily == AddressFamily.InterNetworkV6);
}

/// <summary>What happens to a packet whose destination a route matches (rtnetlink(7), rtm_type).</summary>
public enum HostRouteType
{
    Unicast,

    /// <summary>An address of this host.</summary>
    Local,

    /// <summary>Dropped, or refused in one of two ways; there is no device.</summary>
    Blackhole,
    Unreachable,
    Prohibit,

    /// <summary>The table is left and the next rule is asked.</summary>
    Throw,

    /// <summary>Broadcast, multicast, anycast and what newer kernels have: never the way of a unicast flow.</summary>
    Other,
}

/// <param name="Table">Number of the routing table; 254 is main, 255 local.</param>
/// <param name="Device">Index of the link; 0 for routes that have none.</param>
/// <param name="Gateway">Null when the destination is on the link.</param>
/// <param name="Metric">The lower one of two routes to one destination wins.</param>
public readonly record struct HostRoute(IPNetwork Destination, uint Table, HostRouteType Type, int Device, IPAddress? Gateway, uint Metric);

/// <summary>What a rule does with the packets that it matches (linux/fib_rules.h, FR_ACT_*).</summary>
public enum HostRuleAction
{
    /// <summary>The table is asked.</summary>
    Table,

    /// <summary>Dropped or refused.</summary>
    Stop,

    /// <summary>Goto, nop and what newer kernels have: another rule decides.</summary>
    Other,
}

/// <summary>A policy rule. It matches when every one of its selectors does.</summary>
/// <param name="Priority">Smaller ones are asked first.</param>
/// <param name="Table">Which one is asked; 0 when the kernel finds it out for each packet (l3mdev).</param>
/// <param name="Destination">Null: any.</param>
/// <param name="Mark">Compared with the packet's mark under <paramref name="Mask"/>.</param>
/// <param name="Mask">0: the mark does not matter.</param>
/// <param name="Inverted">Matches when its selectors don't.</param>
/// <param name="SuppressedLength">Routes with a prefix of at most this length don't count; null: all do.</param>
/// <param name="IsNarrow">It has selectors besides destination and mark (source, interface, user, ports): only some traffic is concerned.</param>
public sealed record HostRule(
    AddressFamily Family,
    uint Priority,
    HostRuleAction Action,
    uint Table,
    IPNetwork? Destination,
    uint Mark,
    uint Mask,
    bool Inverted,
    int? SuppressedLength,
    bool IsNarrow)
{
    /// <summary>Whether traffic without a mark, which is what ordinary programs send, can get there.</summary>
    public bool TakesUnmarked => Mask == 0 || (Mark == 0) != Inverted;
}

/// <param name="Kind">Such as <c>tun</c>, <c>wireguard</c>, <c>veth</c>, <c>bridge</c>; empty for hardware.</param>
public sealed record HostLink(int Index, string Name, string Kind, bool IsUp);

/// <param name="Device">Index of the link.</param>
public sealed record HostAddress(int Device, IPAddress Address, int PrefixLength);
