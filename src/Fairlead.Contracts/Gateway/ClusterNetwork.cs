namespace Fairlead.Contracts.Gateway;

/// <summary>The cluster's own networks, as far as the gateway knows them. CIDRs of both address families, without host bits, none inside another.</summary>
/// <param name="ServiceSubnets">Where ClusterIPs come from.</param>
/// <param name="PodSubnets">Where pods have their addresses.</param>
/// <param name="ClusterDomain">Such as <c>cluster.local</c>.</param>
/// <param name="DnsAddress">Of the cluster's DNS; null where the gateway's pod has none.</param>
public sealed record ClusterNetwork(IReadOnlyList<string> ServiceSubnets, IReadOnlyList<string> PodSubnets, string ClusterDomain, string? DnsAddress = null)
{
    /// <summary>Subnets of either kind; a cluster has one or two of services, and hardly more of pods.</summary>
    public const int MaxSubnets = 256;

    public bool ContentEquals(ClusterNetwork? other) => other is not null && ServiceSubnets.SequenceEqual(other.ServiceSubnets)
        && PodSubnets.SequenceEqual(other.PodSubnets) && ClusterDomain == other.ClusterDomain && DnsAddress == other.DnsAddress;
}
