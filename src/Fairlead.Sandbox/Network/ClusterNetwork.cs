using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Sandbox.Network;

/// <summary>One pod's network: a namespace with lo and eth0. Disposing it removes both and gives the address back.</summary>
internal sealed class PodNetwork(NetworkNamespace space, IPAddress address, Action released) : IDisposable
{
    internal NetworkNamespace Namespace => space;

    internal IPAddress Address => address;

    public void Dispose()
    {
        space.Dispose();
        released();
    }
}

/// <summary>
/// The cluster's network namespace: the bridge that pods hang on, the veth to the host, and the packet filter. Its bind mounts lie in
/// the private mount namespace of the serving process, so that the kernel removes everything when that process ends, however it ends.
/// </summary>
internal sealed class ClusterNetwork : IDisposable
{
    private readonly string directory;
    private readonly PodAddresses addresses = new();
    private int links;

    private ClusterNetwork(string directory, ClusterLayout layout, NetworkNamespace space)
    {
        this.directory = directory;
        Layout = layout;
        Namespace = space;
    }

    internal ClusterLayout Layout { get; }

    internal NetworkNamespace Namespace { get; }

    /// <param name="hostLink">Name of the host's end of the veth, at most 15 characters.</param>
    /// <param name="directory">Where the namespaces are bound; exists and is empty.</param>
    internal static async Task<ClusterNetwork> CreateAsync(
        string hostLink, string directory, ClusterLayout layout, CancellationToken cancellationToken)
    {
        var space = NetworkNamespace.Create(Path.Combine(directory, "cluster"));
        try
        {
            space.SetParameter("net/ipv6/conf/default/disable_ipv6", "1");
            space.SetParameter("net/ipv4/ip_forward", "1");
            space.SetParameter("net/ipv4/conf/all/send_redirects", "0");
            space.SetParameter("net/ipv4/conf/default/send_redirects", "0");
            if (File.Exists("/proc/sys/net/bridge/bridge-nf-call-iptables"))
            {
                // Where br_netfilter is there, the bridge would translate by itself and then drop what leads back to the same pod.
                space.SetParameter("net/bridge/bridge-nf-call-iptables", "0");
            }

            // The filter stands before the first link does: there is no moment without it.
            await HostTool.NftAsync(space, Ruleset.Skeleton(layout), cancellationToken);
            await HostTool.IpAsync(null,
            [
                $"link add {hostLink} type veth peer name {Ruleset.HostLink} netns {space.Path}",
                $"addr add {layout.HostAddress}/{layout.HostPrefixLength} dev {hostLink}",
                $"link set {hostLink} up",
            ], cancellationToken);
            await HostTool.IpAsync(space,
            [
                "link set lo up",
                // Without an address of its own a bridge takes the lowest of its ports', and changes it as pods come and go.
                $"link add {Ruleset.Bridge} address {HardwareAddress(IPAddress.Parse(ClusterLayout.BridgeAddress))} type bridge",
                $"addr add {ClusterLayout.BridgeAddress}/16 dev {Ruleset.Bridge}",
                $"link set {Ruleset.Bridge} up",
                $"addr add {layout.NodeAddress}/{layout.HostPrefixLength} dev {Ruleset.HostLink}",
                $"link set {Ruleset.HostLink} up",
                // An address of the service range without a service must get as far as the filter, which refuses it.
                $"route add {ClusterLayout.ServiceSubnet} dev {Ruleset.Bridge}",
            ], cancellationToken);
            return new ClusterNetwork(directory, layout, space);
        }
        catch
        {
            space.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes a pod's namespace. The pod's address is a /32 and everything goes through the gateway, so that answers of a pod to its
    /// neighbour pass the cluster's namespace too and are translated back.
    /// </summary>
    /// <param name="sysctls">What the pod sets in its namespace: names with dots, of <c>net</c>.</param>
    internal async Task<PodNetwork> AddPodAsync(string uid, IReadOnlyDictionary<string, string> sysctls, CancellationToken cancellationToken)
    {
        var address = addresses.Take();
        NetworkNamespace? pod = null;
        try
        {
            var link = $"veth{Interlocked.Increment(ref links)}";
            pod = NetworkNamespace.Create(Path.Combine(directory, uid));
            pod.SetParameter("net/ipv6/conf/default/disable_ipv6", "1");
            // Unprivileged users may bind ports below 1024, as container runtimes set it; echo requests are left as the kernel has them: nobody.
            pod.SetParameter("net/ipv4/ip_unprivileged_port_start", "0");
            foreach (var (name, value) in sysctls)
            {
                pod.SetParameter(name.Replace('.', '/'), value);
            }

            await HostTool.IpAsync(Namespace,
            [
                $"link add {link} type veth peer name eth0 address {HardwareAddress(address)} netns {pod.Path}",
                $"link set {link} master {Ruleset.Bridge} up",
            ], cancellationToken);
            await HostTool.IpAsync(pod,
            [
                "link set lo up",
                $"addr add {address}/32 dev eth0",
                "link set eth0 up",
                $"route add {ClusterLayout.BridgeAddress} dev eth0 scope link src {address}",
                $"route add default via {ClusterLayout.BridgeAddress} dev eth0 src {address}",
            ], cancellationToken);
            return new PodNetwork(pod, address, () => addresses.Release(address));
        }
        catch
        {
            pod?.Dispose();
            addresses.Release(address);
            throw;
        }
    }

    /// <summary>Follows from the IP address, so that a neighbour table is never wrong.</summary>
    private static string HardwareAddress(IPAddress address) => "0a:58:" + string.Join(':', address.GetAddressBytes().Select(b => b.ToString("x2")));

    /// <summary>A TCP connection that leaves from <paramref name="from"/>, without Nagle's wait (RFC 9293 §3.7.4), as a node's programs in Go have it.</summary>
    internal static async Task<Socket> ConnectAsync(NetworkNamespace from, IPEndPoint to, CancellationToken cancellationToken)
    {
        var socket = from.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        try
        {
            await socket.ConnectAsync(to, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose() => Namespace.Dispose();
}
