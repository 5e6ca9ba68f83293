using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>What an installation remembers in the cluster (ConfigMap <see cref="ClusterObjects.ReleaseConfigMap"/>): the values that were set, and every object it made or may have made.</summary>
/// <param name="Values">Not the defaults.</param>
internal sealed record Release(JsonObject Values, IReadOnlyList<ObjectReference> Objects)
{
    private const string ValuesKey = "values";
    private const string ObjectsKey = "objects";

    /// <summary>Null when there is none.</summary>
    /// <exception cref="FairleadException">Somebody damaged it.</exception>
    public static async Task<Release?> ReadAsync(KubernetesClient client, string ns, CancellationToken cancellationToken)
    {
        if (await client.GetAsync(Resources.ConfigMaps, ns, ClusterObjects.ReleaseConfigMap, cancellationToken) is not { } map)
        {
            return null;
        }

        try
        {
            return new Release(
                JsonNode.Parse(map.Data.GetValueOrDefault(ValuesKey, "{}"))!.AsObject(),
                JsonSerializer.Deserialize(map.Data.GetValueOrDefault(ObjectsKey, "[]"), ReleaseJson.Default.IReadOnlyListObjectReference) ?? []);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FairleadException(
                ErrorCategory.Failed, "release-damaged", $"The ConfigMap {ns}/{ClusterObjects.ReleaseConfigMap} is damaged", e.Message,
                $"Delete it ('kubectl -n {ns} delete configmap {ClusterObjects.ReleaseConfigMap}') and install again with the values that you want.", e);
        }
    }

    public static ObjectReference Reference(string ns) => new("v1", "ConfigMap", ns, ClusterObjects.ReleaseConfigMap);

    /// <summary>As an object to apply.</summary>
    public JsonObject ToJson(string ns) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject
        {
            ["name"] = ClusterObjects.ReleaseConfigMap,
            ["namespace"] = ns,
            ["labels"] = new JsonObject { [ClusterObjects.ManagedByLabel] = "fairlead" },
        },
        ["data"] = new JsonObject
        {
            [ValuesKey] = Values.ToJsonString(),
            [ObjectsKey] = JsonSerializer.Serialize(Objects, ReleaseJson.Default.IReadOnlyListObjectReference),
        },
    };
}
