using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Gateway.Cluster;

/// <summary>Kubernetes' objects as the gateway's own, smaller ones. Pure; what can't be read (an address, a protocol) is left out.</summary>
internal static class Mapping
{
    private const string NoAddress = "None";
    private const int DefaultKubeletPort = 10250;

    public static ObjectKey KeyOf(KubeObject value) => new(value.Metadata.Namespace ?? "", value.Metadata.Name ?? "");

    public static ServiceView Map(Service service)
    {
        var spec = service.Spec;
        var kind = spec.Type == "ExternalName" ? ServiceKind.ExternalName
            : spec.ClusterIP == NoAddress || string.IsNullOrEmpty(spec.ClusterIP) ? ServiceKind.Headless
            : ServiceKind.ClusterIP;
        IEnumerable<string> own = kind == ServiceKind.ClusterIP ? [spec.ClusterIP!, .. spec.ClusterIPs] : [];
        var balancers = service.Status?.LoadBalancer?.Ingress.Select(i => i.Ip ?? "") ?? [];
        return new ServiceView(
            KeyOf(service),
            kind,
            [.. spec.Ports.Select(p => (p, Protocol: ProtocolOf(p.Protocol))).Where(x => x.Protocol is not null).Select(x => new Contracts.Gateway.ServicePort(x.p.Name ?? "", x.p.Port, x.Protocol!.Value))],
            Addresses(own),
            Addresses([.. spec.ExternalIPs, .. balancers]),
            spec.ExternalName);
    }

    /// <summary>Null for a slice that belongs to no service.</summary>
    public static SliceView? Map(EndpointSlice slice)
    {
        if (!slice.Metadata.Labels.TryGetValue(EndpointSlice.ServiceNameLabel, out var service) || service.Length == 0)
        {
            return null;
        }

        var key = KeyOf(slice);
        return new SliceView(
            key,
            new ObjectKey(key.Namespace, service),
            [.. slice.Ports.Where(p => p.Port is > 0).Select(p => (p, Protocol: ProtocolOf(p.Protocol))).Where(x => x.Protocol is not null)
                .Select(x => new SlicePort(x.p.Name ?? "", x.p.Port!.Value, x.Protocol!.Value))],
            [.. slice.Endpoints.SelectMany(e => Addresses(e.Addresses).Select(a => Map(e, a)))]);
    }

    public static PodView Map(Pod pod, string gatewayNamespace)
    {
        // A pod that has ended no longer owns the address that its status still shows.
        var ended = pod.Status?.Phase is "Succeeded" or "Failed";
        var key = KeyOf(pod);
        return new PodView(
            key,
            ended || pod.Status is not { } status ? [] : Addresses([status.PodIP ?? "", .. status.PodIPs.Select(i => i.Ip)]),
            pod.Spec.HostNetwork == true,
            key.Namespace == gatewayNamespace && pod.Metadata.Labels.GetValueOrDefault(ClusterObjects.NameLabel) == ClusterObjects.Gateway,
            Meshes.Of(pod));
    }

    public static NodeView Map(Node node)
    {
        var addresses = node.Status?.Addresses ?? [];
        string[] ranges = node.Spec.PodCidr is { } single ? [single, .. node.Spec.PodCidrs] : [.. node.Spec.PodCidrs];
        return new NodeView(
            node.Metadata.Name ?? "",
            Addresses(addresses.Where(a => a.Type != "ExternalIP").Select(a => a.Address)),
            Addresses(addresses.Where(a => a.Type == "ExternalIP").Select(a => a.Address)),
            [.. ranges.Distinct().Select(r => IPNetwork.TryParse(r, out var range) ? range : (IPNetwork?)null).OfType<IPNetwork>()],
            node.Status?.DaemonEndpoints?.KubeletEndpoint?.Port ?? DefaultKubeletPort,
            node.Status?.Conditions.All(c => c.Type != "Ready" || c.Status == "True") != false);
    }

    private static Endpoint Map(Kubernetes.Models.Endpoint endpoint, IPAddress address)
    {
        var ready = endpoint.Conditions.Ready ?? true;
        return new Endpoint(
            address,
            string.IsNullOrEmpty(endpoint.Hostname) ? null : endpoint.Hostname,
            ready,
            ready || (endpoint.Conditions.Serving ?? true),
            endpoint.TargetRef is { Kind: "Pod", Name: { } name } target ? new ObjectKey(target.Namespace ?? "", name) : null);
    }

    private static TransportProtocol? ProtocolOf(string? text) => text switch
    {
        null or "" or "TCP" => TransportProtocol.Tcp,
        "UDP" => TransportProtocol.Udp,
        _ => null,
    };

    private static IPAddress[] Addresses(IEnumerable<string> texts) =>
        [.. texts.Distinct().Select(text => AddressText.TryParse(text, out var address) ? address : null).OfType<IPAddress>().Distinct()];
}
