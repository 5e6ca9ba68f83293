using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Gateway.Policy;

/// <summary>The custom resource (deploy/manifests).</summary>
internal sealed class Grant : KubeObject
{
    public static ResourceType<Grant> Resource { get; } = new(
        ClusterObjects.Group, ClusterObjects.Version, "grants", Namespaced: true, nameof(Grant), GrantJson.Default.Grant);

    public GrantSpec? Spec { get; set; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Grant))]
internal sealed partial class GrantJson : JsonSerializerContext;
