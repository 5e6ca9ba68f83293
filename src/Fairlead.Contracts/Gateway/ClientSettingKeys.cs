namespace Fairlead.Contracts.Gateway;

/// <summary>
/// Settings that an admin gives every client and a laptop may set otherwise: keys of the ConfigMap <c>fairlead-client</c>, of the daemon's
/// options, and on the way between them. Lists are comma-separated.
/// </summary>
public static class ClientSettingKeys
{
    /// <summary>CIDRs that are routed into the cluster besides its own.</summary>
    public const string AlsoProxySubnets = "also-proxy-subnets";

    /// <summary>CIDRs that are never routed into the cluster.</summary>
    public const string NeverProxySubnets = "never-proxy-subnets";

    /// <summary>CIDRs of the cluster that win over a route that the laptop has already.</summary>
    public const string AllowConflictingSubnets = "allow-conflicting-subnets";

    /// <summary>Domain suffixes, besides the cluster's own, that the cluster's DNS is asked for.</summary>
    public const string DnsIncludeSuffixes = "dns-include-suffixes";

    /// <summary>Domain suffixes that the cluster's DNS is never asked for.</summary>
    public const string DnsExcludeSuffixes = "dns-exclude-suffixes";

    /// <summary>A CIDR whose addresses stand for those of the cluster that conflict.</summary>
    public const string VirtualSubnet = "virtual-subnet";

    /// <summary>How names get to addresses on the laptop.</summary>
    public const string Resolver = "resolver";
}
