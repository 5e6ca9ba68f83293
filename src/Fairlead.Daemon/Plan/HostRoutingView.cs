using System.Net.Sockets;
using Fairlead.Platform.Routes;

namespace Fairlead.Daemon.Plan;

/// <summary>
/// The host's routing as traffic meets it: which route really takes what, through the rules that lead to its table. Ours is left out. One pass over
/// the routes: those that a question is about are found among a few subnets that don't overlap, not the other way round.
/// </summary>
internal sealed class HostRoutingView
{
    /// <summary>What a VPN sets instead of a default route, to win over it without taking it away (OpenVPN sets the IPv6 ones).</summary>
    private static readonly HashSet<Prefix> HalfDefaults =
        [.. new[] { "0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1", "::/3", "2000::/3", "2000::/4", "3000::/4" }.Select(Prefix.Parse)];

    private static readonly Prefix UniqueLocal = Prefix.Parse("fc00::/7");
    private static readonly Prefix Global = Prefix.Parse("2000::/4");

    private readonly HostNetwork host;
    private readonly int device;
    private readonly Dictionary<int, string> names;
    private readonly ILookup<(AddressFamily Family, uint Table), HostRule> rules;
    private readonly HashSet<int> wholeDevices;

    /// <param name="device">Our own; 0 for none.</param>
    public HostRoutingView(HostNetwork host, int device)
    {
        this.host = host;
        this.device = device;
        names = host.Links.GroupBy(link => link.Index).ToDictionary(group => group.Key, group => group.First().Name);
        rules = host.Rules.Where(rule => rule is { Action: HostRuleAction.Table, TakesUnmarked: true }).ToLookup(rule => (rule.Family, rule.Table));
        wholeDevices = [.. host.Routes.Where(route => route.Device != 0 && route.Destination.PrefixLength == Global.Length && Prefix.Of(route.Destination) == Global).Select(route => route.Device)];
    }

    /// <summary>Every route that takes something of these subnets away from us, for each subnet the largest first. Default routes and what stands for them do not.</summary>
    /// <param name="subnets">None overlaps another.</param>
    public ILookup<Prefix, HostConflict> FindConflicts(IReadOnlyCollection<Prefix> subnets)
    {
        var sorted = subnets.Order().ToArray();
        var found = new List<(Prefix Subnet, HostConflict Conflict)>();
        foreach (var route in host.Routes)
        {
            // An address of this host's loopback device is no way to anywhere else.
            if (route.Type is HostRouteType.Throw or HostRouteType.Other || (route.Device == device && device != 0))
            {
                continue;
            }

            var prefix = Prefix.Of(route.Destination);
            foreach (var reached in Reached(route, prefix))
            {
                if (!IsDefault(reached, route.Device))
                {
                    Collect(sorted, reached, () => new HostConflict(reached, Describe(route, prefix), NameOf(route.Device)), found);
                }
            }
        }

        foreach (var rule in host.Rules.Where(rule => rule is { Action: HostRuleAction.Stop, TakesUnmarked: true, Inverted: false, Destination: not null }))
        {
            var prefix = Prefix.Of(rule.Destination!.Value);
            Collect(sorted, prefix, () => new HostConflict(prefix, $"rule {rule.Priority}: to {prefix} refused", null), found);
        }

        return found.OrderBy(one => one.Conflict.Destination.Length).ThenBy(one => one.Conflict.Destination).ToLookup(one => one.Subnet, one => one.Conflict);
    }

    /// <summary>The way that a subnet has without us, as people read it: by rules in their order, the longest prefix in each table, then the lowest metric.</summary>
    public string DescribeWay(Prefix subnet)
    {
        foreach (var rule in host.Rules.Where(rule => rule.Family == subnet.Family && rule is { Action: HostRuleAction.Table, TakesUnmarked: true, IsNarrow: false }))
        {
            if (rule.Destination is { } to && Prefix.Of(to).Contains(subnet) == rule.Inverted)
            {
                continue;
            }

            var best = host.Routes
                .Where(route => route.Table == rule.Table && route.Destination.BaseAddress.AddressFamily == subnet.Family && route.Type is not HostRouteType.Other
                    && route.Destination.PrefixLength > (rule.SuppressedLength ?? -1) && Prefix.Of(route.Destination).Contains(subnet))
                .OrderByDescending(route => route.Destination.PrefixLength).ThenBy(route => route.Metric)
                .Cast<HostRoute?>().FirstOrDefault();
            if (best is { Type: not HostRouteType.Throw } route)
            {
                return Describe(route, Prefix.Of(route.Destination));
            }
        }

        return "no route";
    }

    /// <summary>The priority of rules that are asked before all that would lead these subnets elsewhere.</summary>
    public uint PriorityBefore(AddressFamily family, IEnumerable<Prefix> subnets)
    {
        var ours = PrefixSet.Of(subnets.Where(subnet => subnet.Family == family));
        var priority = DefaultPriority;
        foreach (var rule in host.Rules)
        {
            // The table of local addresses comes first on every host, by a rule with priority 0 that nothing can be before.
            if (rule.Family == family && rule.Priority > 0 && rule.Priority <= priority && rule is { TakesUnmarked: true, Action: not HostRuleAction.Other }
                && (rule.Destination is not { } to || rule.Inverted || ours.Overlaps(Prefix.Of(to))))
            {
                priority = rule.Priority - 1;
            }
        }

        return priority;
    }

    /// <summary>Before the rules that VPNs are known to make (Tailscale's begin with 5210, those of wg-quick and NetworkManager come after 30000).</summary>
    internal const uint DefaultPriority = 5000;

    private static void Collect(Prefix[] sorted, Prefix taken, Func<HostConflict> conflict, List<(Prefix, HostConflict)> found)
    {
        // CIDRs overlap only where one holds the other, so what overlaps is the one that begins before, or those that begin inside.
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle].IsIPv6 == taken.IsIPv6 ? sorted[middle].Last < taken.First : taken.IsIPv6)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        for (; low < sorted.Length && sorted[low].Overlaps(taken); low++)
        {
            found.Add((sorted[low], conflict()));
        }
    }

    /// <summary>What traffic can reach this route: nothing when no rule leads to its table, less than its destination when only narrower rules do.</summary>
    private List<Prefix> Reached(HostRoute route, Prefix prefix)
    {
        var parts = new List<Prefix>(1);
        foreach (var rule in rules[(prefix.Family, route.Table)])
        {
            if (prefix.Length <= (rule.SuppressedLength ?? -1))
            {
                continue;
            }

            if (rule.Destination is not { } to || rule.Inverted || Prefix.Of(to).Contains(prefix))
            {
                return [prefix];
            }

            if (prefix.Contains(Prefix.Of(to)))
            {
                parts.Add(Prefix.Of(to));
            }
        }

        return parts;
    }

    /// <summary>fc00::/7 is one of the four that OpenVPN sets instead of a default route; alone it is a network of its own.</summary>
    private bool IsDefault(Prefix prefix, int device) => prefix.Length == 0 || HalfDefaults.Contains(prefix) || (prefix == UniqueLocal && wholeDevices.Contains(device));

    private string Describe(HostRoute route, Prefix prefix)
    {
        var destination = prefix.Length == 0 ? "default" : $"{prefix}";
        var type = route.Type is HostRouteType.Unicast or HostRouteType.Throw or HostRouteType.Other ? "" : route.Type.ToString().ToLowerInvariant() + " ";
        return $"{type}{destination}{(route.Gateway is { } gateway ? $" via {gateway}" : "")}{(NameOf(route.Device) is { } name ? $" dev {name}" : "")}";
    }

    private string? NameOf(int index) => index == 0 ? null : names.GetValueOrDefault(index, $"if{index}");
}

/// <param name="Destination">What it takes.</param>
/// <param name="Route">As <c>ip route</c> says it.</param>
/// <param name="Device">Null where it has none.</param>
internal sealed record HostConflict(Prefix Destination, string Route, string? Device);
