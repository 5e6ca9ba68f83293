using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox;

/// <summary>A namespaced name; the namespace of a cluster-wide object is empty.</summary>
internal readonly record struct ObjectKey(string Namespace, string Name)
{
    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}

/// <summary>What controllers and nodes read beside the API server's own extensions; names and uids of stored objects are never null.</summary>
internal static class ObjectReading
{
    internal static int? Number(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetInt(out var n) ? n : null;

    internal static IEnumerable<KeyValuePair<string, string>> Pairs(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (node.At(path) as JsonObject)?.Select(p => new KeyValuePair<string, string>(p.Key, p.Value.Text() ?? "")) ?? [];

    /// <summary>An IntOrString field as text.</summary>
    internal static string? IntOrText(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        var value = node.At(path);
        return value.Text() ?? value.Number()?.ToString();
    }

    internal static string Namespace(this JsonNode node) => node.Text("metadata", "namespace") ?? "";

    internal static string Uid(this JsonNode node) => node.Text("metadata", "uid") ?? "";

    internal static ObjectKey Key(this JsonObject node) => new(node.Namespace(), node.Name());

    /// <summary>The owner reference with <c>controller: true</c>.</summary>
    internal static JsonObject? Controller(this JsonNode node) =>
        node.Maps("metadata", "ownerReferences").FirstOrDefault(o => o.Flag("controller") == true);

    internal static bool IsControlledBy(this JsonNode node, JsonNode owner) => node.Controller()?.Text("uid") is { } uid && uid == owner.Uid();

    /// <summary>RFC 3339 in seconds, as Kubernetes writes <c>metav1.Time</c>.</summary>
    internal static string Timestamp(this TimeProvider time) => time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");

    private static bool TryGetInt(this JsonValue value, out int number)
    {
        if (value.TryGetValue(out number))
        {
            return true;
        }

        if (value.TryGetValue(out long large) && large is >= int.MinValue and <= int.MaxValue)
        {
            number = (int)large;
            return true;
        }

        return false;
    }
}
