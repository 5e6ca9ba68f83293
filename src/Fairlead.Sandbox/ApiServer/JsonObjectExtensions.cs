using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>Reading Kubernetes objects without a class for each: what is absent or of another type reads as null.</summary>
internal static class JsonObjectExtensions
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            if (node is not JsonObject map || !map.TryGetPropertyValue(step, out node))
            {
                return null;
            }
        }

        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    public static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<bool>(out var flag) ? flag : null;

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        if (node.At(path) is not JsonValue value || value.GetValueKind() != JsonValueKind.Number)
        {
            return null;
        }

        return long.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    public static JsonObject? Map(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonObject;

    /// <summary>The objects of a list; empty when there is none.</summary>
    public static IEnumerable<JsonObject> Maps(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray list ? list.OfType<JsonObject>() : [];

    /// <summary>The strings of a list; empty when there is none.</summary>
    public static IEnumerable<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonArray list ? list.Select(static item => item.Text()).OfType<string>() : [];

    public static string Name(this JsonObject value) => value.Text("metadata", "name") ?? "";

    public static string? Namespace(this JsonObject value) => value.Text("metadata", "namespace") is { Length: > 0 } text ? text : null;

    public static string? Uid(this JsonObject value) => value.Text("metadata", "uid");

    public static long ResourceVersion(this JsonObject value) =>
        long.TryParse(value.Text("metadata", "resourceVersion"), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;

    public static bool IsBeingDeleted(this JsonObject value) => value.Text("metadata", "deletionTimestamp") is not null;

    /// <summary>The map at <paramref name="key"/>, made when there is none.</summary>
    public static JsonObject Ensure(this JsonObject value, string key)
    {
        if (value[key] is JsonObject map)
        {
            return map;
        }

        map = [];
        value[key] = map;
        return map;
    }

    public static JsonObject Metadata(this JsonObject value) => value.Ensure("metadata");

    /// <summary>Sets what is absent or null; does nothing without a <paramref name="fallback"/>.</summary>
    public static void Default(this JsonObject value, string key, JsonNode? fallback)
    {
        if (fallback is not null && value[key] is null)
        {
            value[key] = fallback;
        }
    }

    public static JsonObject Clone(this JsonObject value) => (JsonObject)value.DeepClone();

    /// <summary>RFC 3339 in whole seconds, as metav1.Time.</summary>
    public static string ToTimestamp(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
