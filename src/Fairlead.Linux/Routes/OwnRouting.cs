using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Routes;

namespace Fairlead.Linux.Routes;

/// <summary>What of ours is, or is to be, on the host.</summary>
/// <param name="Routes">In our table: the device's index, or 0 for an exception that leaves the table again.</param>
/// <param name="Rules">That lead to our table.</param>
internal sealed record OwnRouting(IReadOnlyDictionary<IPNetwork, int> Routes, IReadOnlySet<OwnRule> Rules)
{
    public static OwnRouting Of(RouteSet set)
    {
        var routes = new Dictionary<IPNetwork, int>();
        foreach (var prefix in set.Prefixes)
        {
            routes[prefix] = set.Device;
        }

        foreach (var exception in set.Exceptions)
        {
            routes[exception] = 0;
        }

        return new OwnRouting(routes, set.Prefixes.Select(prefix => new OwnRule(prefix, IsIPv6(prefix) ? set.Priority6 : set.Priority)).ToHashSet());
    }

    /// <summary>
    /// What leads from here to there, so that at every moment an address goes where it went before or where it is to go: exceptions, then routes, are there
    /// before rules lead to them; rules go before the routes that they led to, exceptions last.
    /// </summary>
    public IReadOnlyList<RoutingStep> StepsTo(OwnRouting next)
    {
        var changed = next.Routes.Where(route => !Routes.TryGetValue(route.Key, out var device) || device != route.Value).Select(route => RoutingStep.OfRoute(route.Key, Routes.TryGetValue(route.Key, out var before) ? before : null, route.Value)).ToList();
        var gone = Routes.Where(route => !next.Routes.ContainsKey(route.Key)).Select(route => RoutingStep.OfRoute(route.Key, route.Value, null)).ToList();
        return
        [
            .. changed.Where(step => step.After == 0),
            .. changed.Where(step => step.After != 0),
            .. next.Rules.Except(Rules).Select(rule => RoutingStep.OfRule(rule, true)),
            .. Rules.Except(next.Rules).Select(rule => RoutingStep.OfRule(rule, false)),
            .. gone.Where(step => step.Before != 0),
            .. gone.Where(step => step.Before == 0),
        ];
    }

    public static bool IsIPv6(IPNetwork network) => network.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
}

internal sealed record OwnRule(IPNetwork Destination, uint Priority);

/// <summary>One change of the kernel's: a rule that comes or goes, or a route. Each can be taken back.</summary>
/// <param name="Rule">Null for a route.</param>
/// <param name="Route">Of a route.</param>
/// <param name="Before">The device of the route, 0 for an exception, null for none; of a rule null or 1.</param>
/// <param name="After">The same afterwards.</param>
internal sealed record RoutingStep(OwnRule? Rule, IPNetwork Route, int? Before, int? After)
{
    public RoutingStep Reverse => this with { Before = After, After = Before };

    public static RoutingStep OfRoute(IPNetwork route, int? before, int? after) => new(null, route, before, after);

    public static RoutingStep OfRule(OwnRule rule, bool comes) => new(rule, rule.Destination, comes ? null : 1, comes ? 1 : null);

    public override string ToString() => this switch
    {
        { Rule: { } rule } => $"rule {rule.Priority}: to {rule.Destination} {(After is null ? "removed" : "added")}",
        { After: 0 } => $"throw {Route} {(Before is null ? "added" : "replaces a route")}",
        { After: null, Before: 0 } => $"throw {Route} removed",
        { After: null } => $"route {Route} removed",
        { Before: null } => $"route {Route} added",
        _ => $"route {Route} replaced",
    };
}
