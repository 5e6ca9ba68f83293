using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway.Cluster;

/// <summary>Decides what the cluster's subnets are from what is known of it. Pure.</summary>
internal static class ClusterSubnets
{
    /// <summary>
    /// Where ClusterIPs come from: of each family the ranges that the API server told, else the smallest subnet around the ClusterIPs that are
    /// there. An API server takes no IPv4 range above a /12 and no IPv6 range above a /108, so that addresses further apart are of two.
    /// </summary>
    public static IReadOnlyList<IPNetwork> OfServices(IReadOnlyList<IPNetwork> ranges, IEnumerable<IPAddress> clusterAddresses)
    {
        var addresses = clusterAddresses.ToLookup(a => a.AddressFamily);
        return Subnets.Collapse(
        [
            .. ranges,
            .. HasFamily(ranges, AddressFamily.InterNetwork) ? [] : Subnets.Cover(addresses[AddressFamily.InterNetwork], 12, 24),
            .. HasFamily(ranges, AddressFamily.InterNetworkV6) ? [] : Subnets.Cover(addresses[AddressFamily.InterNetworkV6], 108, 120),
        ]);
    }

    /// <summary>
    /// Where pods have their addresses: of each family what the nodes say (<c>podCIDRs</c>), as far as pods have addresses there; network plugins
    /// with an address management of their own ignore it. Around the others the smallest subnets, by /16 and /48, since their pools may lie
    /// anywhere.
    /// </summary>
    /// <param name="known">Of pods found before: a subnet stays when its last pod goes, since the next comes soon.</param>
    public static IReadOnlyList<IPNetwork> OfPods(IEnumerable<IPNetwork> nodeRanges, IReadOnlyCollection<IPAddress> podAddresses, IReadOnlyList<IPNetwork> known)
    {
        var used = nodeRanges.GroupBy(r => r.BaseAddress.AddressFamily)
            .Where(family => podAddresses.All(a => a.AddressFamily != family.Key) || podAddresses.Any(a => family.Any(r => r.Contains(a))))
            .SelectMany(family => family)
            .ToList();
        var told = Subnets.Collapse(used);
        var others = podAddresses.Where(a => !told.Any(r => r.Contains(a))).ToLookup(a => a.AddressFamily);
        var subnets = Subnets.Collapse(
        [
            .. told,
            .. known.Where(k => !told.Any(r => r.Contains(k.BaseAddress) && r.PrefixLength <= k.PrefixLength)),
            .. Subnets.Cover(others[AddressFamily.InterNetwork], 16, 24),
            .. Subnets.Cover(others[AddressFamily.InterNetworkV6], 48, 64),
        ]);
        return subnets.Count <= ClusterNetwork.MaxSubnets ? subnets : Coarse(subnets);
    }

    /// <summary>A cluster of very many nodes with ranges that don't adjoin: rather some addresses too many than a list that no client takes.</summary>
    private static IReadOnlyList<IPNetwork> Coarse(IReadOnlyList<IPNetwork> subnets)
    {
        var families = subnets.ToLookup(s => s.BaseAddress.AddressFamily);
        return [.. Subnets.Collapse(
        [
            .. families[AddressFamily.InterNetwork].Select(s => Cut(s, 16)),
            .. families[AddressFamily.InterNetworkV6].Select(s => Cut(s, 48)),
        ]).Take(ClusterNetwork.MaxSubnets)];
    }

    private static IPNetwork Cut(IPNetwork subnet, int prefix) => subnet.PrefixLength <= prefix ? subnet : Subnets.Cover([subnet.BaseAddress], prefix, prefix).Single();

    private static bool HasFamily(IReadOnlyList<IPNetwork> ranges, AddressFamily family) => ranges.Any(r => r.BaseAddress.AddressFamily == family);
}
