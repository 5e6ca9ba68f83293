using Fairlead.Kubernetes.Models;

namespace Fairlead.Gateway.Cluster;

/// <summary>Tells by a pod which mesh it is part of: what injectors put into it stands in its spec, which the gateway sees anyway.</summary>
internal static class Meshes
{
    /// <summary>Set by Istio's CNI agent on pods whose traffic a ztunnel takes (ambient mode, no sidecar).</summary>
    private const string AmbientAnnotation = "ambient.istio.io/redirection";

    private static readonly Dictionary<string, string> Sidecars = new()
    {
        ["istio-proxy"] = "Istio",
        ["linkerd-proxy"] = "Linkerd",
        ["consul-dataplane"] = "Consul",
        ["kuma-sidecar"] = "Kuma",
    };

    /// <summary>Null for a pod outside of every mesh that is known. Sidecars are containers, or init containers that go on (Kubernetes 1.29).</summary>
    public static string? Of(Pod pod) =>
        pod.Spec.Containers.Concat(pod.Spec.InitContainers).Select(container => Sidecars.GetValueOrDefault(container.Name)).FirstOrDefault(mesh => mesh is not null)
        ?? (pod.Metadata.Annotations.GetValueOrDefault(AmbientAnnotation) == "enabled" ? "Istio" : null);
}
