using System.Net;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway.Cluster;

/// <summary>Namespace and name.</summary>
internal readonly record struct ObjectKey(string Namespace, string Name)
{
    public override string ToString() => $"{Namespace}/{Name}";
}

/// <param name="ClusterAddresses">ClusterIPs; empty for headless and ExternalName services.</param>
/// <param name="OtherAddresses">Load balancer and external addresses, which nodes route to the service as well.</param>
internal sealed record ServiceView(
    ObjectKey Key,
    ServiceKind Kind,
    IReadOnlyList<ServicePort> Ports,
    IReadOnlyList<IPAddress> ClusterAddresses,
    IReadOnlyList<IPAddress> OtherAddresses,
    string? ExternalName);

/// <param name="Name">Links it to the service's port of that name; may be empty.</param>
internal sealed record SlicePort(string Name, int Port, TransportProtocol Protocol);

/// <param name="Hostname">The endpoint's own name under the service, if it has one.</param>
/// <param name="Ready">Clients should use it.</param>
/// <param name="Routed">Traffic may be sent there: ready, or still serving while it terminates.</param>
/// <param name="Pod">The pod that the slice claims is behind it: to be checked, anybody may write a slice.</param>
internal sealed record Endpoint(IPAddress Address, string? Hostname, bool Ready, bool Routed, ObjectKey? Pod);

internal sealed record SliceView(ObjectKey Key, ObjectKey Service, IReadOnlyList<SlicePort> Ports, IReadOnlyList<Endpoint> Endpoints);

/// <param name="Gateway">It is a replica of this gateway.</param>
/// <param name="Mesh">The mesh that it is part of (<see cref="Meshes"/>).</param>
internal sealed record PodView(ObjectKey Key, IReadOnlyList<IPAddress> Addresses, bool HostNetwork, bool Gateway, string? Mesh = null);

/// <param name="PodRanges">Whence the node gives its pods their addresses.</param>
/// <param name="KubeletPort">Where the kubelet listens on every address of the node.</param>
/// <param name="Ready">Nothing says that it is off or out of order.</param>
internal sealed record NodeView(
    string Name, IReadOnlyList<IPAddress> Addresses, IReadOnlyList<IPAddress> ExternalAddresses, IReadOnlyList<IPNetwork> PodRanges, int KubeletPort, bool Ready = true);
