using System.Net;

namespace Fairlead.Sandbox.Network;

/// <summary>The addresses of one sandbox. Only the host subnet differs between sandboxes.</summary>
/// <param name="HostAddress">The host's end of the veth: the API server.</param>
/// <param name="NodeAddress">The cluster's end: NodePorts.</param>
/// <param name="HostPrefixLength">Prefix length of both.</param>
internal sealed record ClusterLayout(IPAddress HostAddress, IPAddress NodeAddress, int HostPrefixLength)
{
    internal const int ApiPort = 6443;
    internal const string NodeName = "sandbox-node";
    internal const string ClusterDomain = "cluster.local";
    internal const string PodSubnet = "10.244.0.0/16";
    internal const string ServiceSubnet = "10.96.0.0/16";
    internal const string BridgeAddress = "10.244.0.1";
    internal const string DnsServiceAddress = "10.96.0.10";
    internal const string ApiServiceAddress = "10.96.0.1";

    /// <summary>Takes the first two usable addresses of a subnet of /30 or wider.</summary>
    /// <exception cref="FormatException">Not an IPv4 subnet, or too small.</exception>
    internal static ClusterLayout Of(string hostSubnet)
    {
        if (!IPNetwork.TryParse(hostSubnet, out var network) || network.BaseAddress.GetAddressBytes() is not [var a, var b, var c, var d]
            || network.PrefixLength is > 30 or < 8)
        {
            throw new FormatException($"\"{hostSubnet}\" is not an IPv4 subnet of at least four addresses, such as 198.18.0.0/30.");
        }

        return new ClusterLayout(new IPAddress([a, b, c, (byte)(d + 1)]), new IPAddress([a, b, c, (byte)(d + 2)]), network.PrefixLength);
    }
}
