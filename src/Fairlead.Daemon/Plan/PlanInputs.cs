using System.Net;
using Fairlead.Platform.Routes;

namespace Fairlead.Daemon.Plan;

/// <summary>All that a plan is made from.</summary>
/// <param name="Cluster">The subnets as the gateway told them.</param>
/// <param name="Device">Our own link, which conflicts with nothing; 0 while there is none.</param>
/// <param name="DeviceName">For people.</param>
/// <param name="Carriers">What the connection itself needs, and so never goes through it.</param>
/// <param name="Reserved">Of the pool of virtual addresses: what our device has itself.</param>
/// <param name="Known">Virtual subnets of earlier plans; kept where they still fit, so that addresses stay.</param>
internal sealed record PlanInputs(
    ClusterSubnets Cluster,
    HostNetwork Host,
    int Device,
    string DeviceName,
    PlanWishes Wishes,
    IReadOnlyList<CarrierAddress> Carriers,
    IReadOnlyList<Prefix> Reserved,
    IReadOnlyList<TranslatedSubnet> Known);

internal sealed record ClusterSubnets(IReadOnlyList<Prefix> Services, IReadOnlyList<Prefix> Pods);

/// <param name="What">For people: <c>the gateway</c>, <c>a resolver of this host</c>.</param>
internal sealed record CarrierAddress(IPAddress Address, string What);

/// <summary>What people want; nothing in it contradicts itself any more (<see cref="WishReader"/>).</summary>
/// <param name="Also">Besides the cluster's own, with where the wish comes from.</param>
/// <param name="Never">Later wishes for the opposite are taken out already.</param>
/// <param name="Virtual">Subnets that are to be virtual whether they conflict or not, and the exit that some have.</param>
/// <param name="VirtualSubnet">The pool for IPv4 that was chosen; null: the default one, which may move.</param>
internal sealed record PlanWishes(
    IReadOnlyList<WishedSubnet> Also,
    IReadOnlyList<WishedSubnet> Never,
    PrefixSet Allowed,
    IReadOnlyList<VirtualWish> Virtual,
    Prefix? VirtualSubnet,
    bool AutoResolve)
{
    public static readonly PlanWishes None = new([], [], PrefixSet.Empty, [], null, true);
}

/// <param name="Source">For people: <c>--also-proxy</c>, <c>option also-proxy-subnets</c>.</param>
internal sealed record WishedSubnet(Prefix Subnet, string Source);

/// <param name="Via">What a flow names the workload by; null: the gateway dials.</param>
/// <param name="Source">For people: <c>--vnat</c>, <c>--proxy-via</c>.</param>
internal sealed record VirtualWish(Prefix Subnet, string? Via, string Source);
