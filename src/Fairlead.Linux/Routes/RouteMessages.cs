using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fairlead.Linux.Netlink;
using Fairlead.Platform.Routes;

namespace Fairlead.Linux.Routes;

/// <summary>What rtnetlink(7) tells of routes, rules, links and addresses. What makes no sense is left out (null), never a failure: kernels learn new things.</summary>
internal static class RouteMessages
{
    public const ushort NewLink = 16;
    public const ushort DeleteLink = 17;
    public const ushort GetLink = 18;
    public const ushort NewAddress = 20;
    public const ushort DeleteAddress = 21;
    public const ushort GetAddress = 22;
    public const ushort NewRoute = 24;
    public const ushort DeleteRoute = 25;
    public const ushort GetRoute = 26;
    public const ushort NewRule = 32;
    public const ushort DeleteRule = 33;
    public const ushort GetRule = 34;

    public const byte IPv4 = 2;
    public const byte IPv6 = 10;

    // struct rtmsg: family, destination length, source length, TOS, table, protocol, scope, type, flags
    public const int RouteHeader = 12;
    public const ushort RouteDestination = 1;
    public const ushort RouteDevice = 4;
    public const ushort RouteTable = 15;
    private const ushort RouteGateway = 5;
    private const ushort RouteMetric = 6;
    private const ushort RouteMultipath = 9;
    private const ushort RouteVia = 18;
    private const uint Cloned = 0x200;
    private const uint Dead = 1;

    // struct fib_rule_hdr: family, destination length, source length, TOS, table, two reserved, action, flags
    public const int RuleHeader = 12;
    public const ushort RuleDestination = 1;
    public const ushort RulePriority = 6;
    public const ushort RuleTable = 15;
    public const ushort RuleProtocol = 21;
    public const byte ToTable = 1;
    private const ushort RuleMark = 10;
    private const ushort RuleSuppress = 14;
    private const ushort RuleMask = 16;
    private const uint Invert = 2;

    /// <summary>A route with what marks it as ours; one for each next hop.</summary>
    public readonly record struct ReadRoute(HostRoute Route, byte Protocol);

    public readonly record struct ReadRule(HostRule Rule, byte Protocol);

    public static void ReadRoutes(ReadOnlySpan<byte> body, List<ReadRoute> into)
    {
        if (body.Length < RouteHeader || MemoryMarshal.Read<uint>(body[8..]) is var flags && (flags & (Cloned | Dead)) != 0)
        {
            return;
        }

        var (family, length, protocol) = (body[0], body[1], body[5]);
        var (table, device, metric) = ((uint)body[4], 0, 0u);
        ReadOnlySpan<byte> destination = default, hops = default;
        IPAddress? gateway = null;
        for (var attributes = new AttributeReader(body[RouteHeader..]); attributes.Next(out var type, out var value);)
        {
            switch (type)
            {
                case RouteDestination:
                    destination = value;
                    break;
                case RouteDevice:
                    device = (int)AttributeReader.Number(value);
                    break;
                case RouteGateway or RouteVia:
                    gateway = GatewayOf(type, value);
                    break;
                case RouteMetric:
                    metric = AttributeReader.Number(value);
                    break;
                case RouteTable:
                    table = AttributeReader.Number(value);
                    break;
                case RouteMultipath:
                    hops = value;
                    break;
                default:
                    break;
            }
        }

        if (Network(family, destination, length) is not { } network)
        {
            return;
        }

        var route = new HostRoute(network, table, TypeOf(body[7]), device, gateway, metric);
        if (hops.IsEmpty)
        {
            into.Add(new ReadRoute(route, protocol));
        }

        // struct rtnexthop: length, flags, hops, device; then attributes of its own
        while (hops.Length >= 8 && MemoryMarshal.Read<ushort>(hops) is var hop && hop >= 8 && hop <= hops.Length)
        {
            IPAddress? through = null;
            for (var attributes = new AttributeReader(hops[8..hop]); attributes.Next(out var type, out var value);)
            {
                through = type is RouteGateway or RouteVia ? GatewayOf(type, value) : through;
            }

            into.Add(new ReadRoute(route with { Device = MemoryMarshal.Read<int>(hops[4..]), Gateway = through }, protocol));
            hops = hops[Math.Min(hops.Length, (hop + 3) & ~3)..];
        }
    }

    public static ReadRule? ReadRuleOf(ReadOnlySpan<byte> body)
    {
        if (body.Length < RuleHeader || body[0] is not (IPv4 or IPv6))
        {
            return null;
        }

        var (table, priority, mark, mask, protocol, narrow) = ((uint)body[4], 0u, 0u, 0u, (byte)0, body[2] != 0 || body[3] != 0);
        uint? suppressed = null;
        ReadOnlySpan<byte> destination = default;
        for (var attributes = new AttributeReader(body[RuleHeader..]); attributes.Next(out var type, out var value);)
        {
            switch (type)
            {
                case RuleDestination:
                    destination = value;
                    break;
                case RulePriority:
                    priority = AttributeReader.Number(value);
                    break;
                case RuleMark:
                    mark = AttributeReader.Number(value);
                    break;
                case RuleMask:
                    mask = AttributeReader.Number(value);
                    break;
                case RuleSuppress:
                    suppressed = AttributeReader.Number(value);
                    break;
                case RuleTable:
                    table = AttributeReader.Number(value);
                    break;
                case RuleProtocol:
                    protocol = value.IsEmpty ? (byte)0 : value[0];
                    break;
                default:
                    // Source, interfaces, users, protocols and ports: 2, 3, 17, 20, 22, 23, 24.
                    narrow |= type is 2 or 3 or 17 or 20 or 22 or 23 or 24;
                    break;
            }
        }

        var network = body[1] == 0 ? null : Network(body[0], destination, body[1]);
        var action = body[7] switch
        {
            ToTable => HostRuleAction.Table,
            6 or 7 or 8 => HostRuleAction.Stop,
            _ => HostRuleAction.Other,
        };
        return new ReadRule(
            new HostRule(
                FamilyOf(body[0]),
                priority,
                action,
                table,
                network,
                mark,
                mask,
                (MemoryMarshal.Read<uint>(body[8..]) & Invert) != 0,
                suppressed is { } length and not uint.MaxValue ? (int)length : null,
                narrow),
            protocol);
    }

    /// <summary>struct ifinfomsg: family, type, index, flags, change.</summary>
    public static HostLink? ReadLink(ReadOnlySpan<byte> body)
    {
        if (body.Length < 16)
        {
            return null;
        }

        var (name, kind) = ("", "");
        for (var attributes = new AttributeReader(body[16..]); attributes.Next(out var type, out var value);)
        {
            if (type == 3)
            {
                name = AttributeReader.Text(value);
            }
            else if (type == 18)
            {
                for (var info = new AttributeReader(value); info.Next(out var part, out var text);)
                {
                    kind = part == 1 ? AttributeReader.Text(text) : kind;
                }
            }
        }

        return name.Length == 0 ? null : new HostLink(MemoryMarshal.Read<int>(body[4..]), name, kind, (MemoryMarshal.Read<uint>(body[8..]) & 1) != 0);
    }

    /// <summary>struct ifaddrmsg: family, prefix length, flags, scope, index. The local one counts where a link has two ends.</summary>
    public static HostAddress? ReadAddress(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8)
        {
            return null;
        }

        IPAddress? address = null, local = null;
        for (var attributes = new AttributeReader(body[8..]); attributes.Next(out var type, out var value);)
        {
            address = type == 1 ? AddressOf(value) : address;
            local = type == 2 ? AddressOf(value) : local;
        }

        return (local ?? address) is { } own ? new HostAddress(MemoryMarshal.Read<int>(body[4..]), own, body[1]) : null;
    }

    public static AddressFamily FamilyOf(byte family) => family == IPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;

    private static HostRouteType TypeOf(byte type) => type switch
    {
        1 => HostRouteType.Unicast,
        2 => HostRouteType.Local,
        6 => HostRouteType.Blackhole,
        7 => HostRouteType.Unreachable,
        8 => HostRouteType.Prohibit,
        9 => HostRouteType.Throw,
        _ => HostRouteType.Other,
    };

    private static IPNetwork? Network(byte family, ReadOnlySpan<byte> destination, byte length)
    {
        var size = family == IPv4 ? 4 : family == IPv6 ? 16 : 0;
        if (size == 0 || length > 8 * size)
        {
            return null;
        }

        if (destination.IsEmpty && length == 0)
        {
            return new IPNetwork(size == 4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
        }

        return destination.Length == size ? new IPNetwork(Masked(destination, length), length) : null;
    }

    /// <summary><see cref="IPNetwork"/> takes no address with bits beyond the length.</summary>
    private static IPAddress Masked(ReadOnlySpan<byte> address, int length)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.CopyTo(bytes);
        for (var i = 0; i < address.Length; i++)
        {
            var bits = Math.Clamp(length - 8 * i, 0, 8);
            bytes[i] &= (byte)(0xff << (8 - bits));
        }

        return new IPAddress(bytes[..address.Length]);
    }

    /// <summary>RTA_VIA: a gateway of another family, after two octets that say which.</summary>
    private static IPAddress? GatewayOf(ushort type, ReadOnlySpan<byte> value) => AddressOf(type == RouteVia && value.Length > 2 ? value[2..] : value);

    private static IPAddress? AddressOf(ReadOnlySpan<byte> value) => value.Length is 4 or 16 ? new IPAddress(value) : null;
}
