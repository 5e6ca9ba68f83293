using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration;

/// <summary>The custom resource <c>Grant</c> (deploy/manifests).</summary>
internal sealed class GrantObject : KubeObject
{
    public static ResourceType<GrantObject> Resource { get; } = new(
        ClusterObjects.Group, ClusterObjects.Version, "grants", Namespaced: true, "Grant", JsonOf());

    public GrantSpec? Spec { get; set; }

    private static JsonTypeInfo<GrantObject> JsonOf() => (JsonTypeInfo<GrantObject>)new System.Text.Json.JsonSerializerOptions(GrantObjectJson.Default.Options)
    {
        TypeInfoResolver = GrantObjectJson.Default.WithAddedModifier(ModelJson.OmitEmptyCollections),
    }.GetTypeInfo(typeof(GrantObject));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(GrantObject))]
internal sealed partial class GrantObjectJson : JsonSerializerContext;
