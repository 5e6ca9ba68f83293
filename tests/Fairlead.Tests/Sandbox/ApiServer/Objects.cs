using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer;

/// <summary>Objects and JSON for the tests of the API server.</summary>
internal static class Objects
{
    public static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    public static readonly ResourceId Pods = new("", "v1", "pods");
    public static readonly ResourceId Namespaces = new("", "v1", "namespaces");

    public static JsonObject Json(string text) => (JsonObject)JsonNode.Parse(text)!;

    public static JsonObject ConfigMap(string name, string value = "1", string @namespace = "default") => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = @namespace },
        ["data"] = new JsonObject { ["value"] = value },
    };

    public static JsonObject Pod(string name, string? node = null)
    {
        var spec = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "host" }) };
        if (node is not null)
        {
            spec["nodeName"] = node;
        }

        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" },
            ["spec"] = spec,
        };
    }

    public static void ShouldBeJson(this JsonNode? actual, string expected) =>
        JsonNode.DeepEquals(actual, JsonNode.Parse(expected)).ShouldBeTrue($"expected {expected}\nbut was  {actual?.ToJsonString() ?? "null"}");
}
