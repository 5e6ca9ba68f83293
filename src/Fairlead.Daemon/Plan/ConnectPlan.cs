using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Platform.Routes;

namespace Fairlead.Daemon.Plan;

/// <summary>What becomes of every prefix: made by <see cref="Planner"/>, an immutable value.</summary>
/// <param name="Entries">What people are told, in the order of the prefixes' importance: the cluster's, further ones, then those that are left alone.</param>
/// <param name="Prefixes">Routed into our device: addresses of the cluster, and virtual ones.</param>
/// <param name="Exceptions">Parts of <paramref name="Prefixes"/> that keep the way they have.</param>
/// <param name="Translated">Virtual subnets.</param>
/// <param name="Tabled">Subnets for which the pool has no block of their size: single addresses of <paramref name="Table"/> stand for theirs.</param>
/// <param name="Table">Null when there is no such subnet.</param>
/// <param name="Exits">Real addresses whose flows leave from a pod of a workload, the smaller subnet first.</param>
/// <param name="Priority">Of the rules for IPv4, before every rule that would lead the traffic elsewhere.</param>
/// <param name="Refusal">Why this plan must not be applied; null when it may.</param>
internal sealed record ConnectPlan(
    IReadOnlyList<PlanEntry> Entries,
    IReadOnlyList<Prefix> Prefixes,
    IReadOnlyList<Prefix> Exceptions,
    IReadOnlyList<TranslatedSubnet> Translated,
    IReadOnlyList<Prefix> Tabled,
    Prefix? Table,
    IReadOnlyList<(Prefix Subnet, string Via)> Exits,
    uint Priority,
    uint Priority6,
    IReadOnlyList<string> Warnings,
    ErrorInfo? Refusal)
{
    public RouteSet RoutesFor(int device) =>
        new(device, [.. Prefixes.Select(prefix => prefix.Network)], [.. Exceptions.Select(prefix => prefix.Network)], Priority, Priority6);

    /// <summary>The workload that flows to this address of the cluster leave from; null: the gateway.</summary>
    public string? ExitOf(IPAddress real)
    {
        var address = Prefix.Of(real);
        foreach (var (subnet, via) in Exits)
        {
            if (subnet.Contains(address))
            {
                return via;
            }
        }

        return null;
    }
}
