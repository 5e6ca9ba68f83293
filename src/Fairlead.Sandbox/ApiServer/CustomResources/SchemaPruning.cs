using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>
/// Takes away what a structural schema doesn't name
/// (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning).
/// </summary>
internal static class SchemaPruning
{
    /// <returns>The paths that went.</returns>
    public static IReadOnlyList<string> Prune(JsonObject schema, JsonObject value)
    {
        var dropped = new List<string>();
        PruneMap(schema, value, "", isRoot: true, dropped);
        return dropped;
    }

    private static void PruneMap(JsonObject schema, JsonObject value, string path, bool isRoot, List<string> dropped)
    {
        var preserves = schema.Flag("x-kubernetes-preserve-unknown-fields") == true;
        var embedded = isRoot || schema.Flag("x-kubernetes-embedded-resource") == true;
        foreach (var name in value.Select(entry => entry.Key).ToArray())
        {
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (embedded && name is ("apiVersion" or "kind" or "metadata"))
            {
                continue;
            }

            if (schema.Map("properties", name) is { } property)
            {
                PruneNode(property, value[name], at, dropped);
            }
            else if (schema["additionalProperties"] is JsonObject values)
            {
                PruneNode(values, value[name], at, dropped);
            }
            else if (!preserves && schema.Flag("additionalProperties") != true)
            {
                value.Remove(name);
                dropped.Add(at);
            }
        }
    }

    private static void PruneNode(JsonObject schema, JsonNode? value, string path, List<string> dropped)
    {
        switch (value)
        {
            case JsonObject map:
                PruneMap(schema, map, path, isRoot: false, dropped);
                break;
            case JsonArray list when schema.Map("items") is { } items:
                for (var i = 0; i < list.Count; i++)
                {
                    PruneNode(items, list[i], $"{path}[{i}]", dropped);
                }

                break;
        }
    }
}
