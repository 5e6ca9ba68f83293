using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>How server-side apply names an item of a list that is a map: <c>k:{"containerPort":80,"protocol":"TCP"}</c>.</summary>
internal static class ListItem
{
    /// <exception cref="StatusException">400: the item lacks a key.</exception>
    public static string KeyOf(JsonNode? item, MergeSchema schema)
    {
        var key = new JsonObject();
        foreach (var name in schema.ListKeys)
        {
            key[name] = item.At(name)?.DeepClone()
                ?? (schema.KeyDefaults.TryGetValue(name, out var fallback)
                    ? JsonValue.Create(fallback)
                    : throw Failures.BadRequest($"an item of a list lacks its key \"{name}\": {item?.ToJsonString()}"));
        }

        return key.ToJsonString();
    }
}
