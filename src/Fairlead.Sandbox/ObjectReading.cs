using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox;

/// <summary>A namespaced name; the namespace of a cluster-wide object is empty.</summary>
internal readonly record struct ObjectKey(string Namespace, string Name)
{
    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}

/// <summary>Reading Kubernetes objects: an absent or mistyped field reads as null, as a lenient client sees it.</summary>
internal static class ObjectReading
{
    internal static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            node = node is JsonObject o && o.TryGetPropertyValue(step, out var next) ? next : null;
        }

        return node;
    }

    internal static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) =>
        At(node, path) is JsonValue v && v.GetValueKind() == JsonValueKind.String ? v.GetValue<string>() : null;

    internal static int? Number(this JsonNode? node, params ReadOnlySpan<string> path) =>
        At(node, path) is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetInt(out var n) ? n : null;

    internal static bool? Flag(this JsonNode? node, params ReadOnlySpan<string> path) =>
        At(node, path)?.GetValueKind() switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => null,
        };

    internal static IEnumerable<JsonObject> Items(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (At(node, path) as JsonArray)?.OfType<JsonObject>() ?? [];

    internal static IReadOnlyList<string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (At(node, path) as JsonArray)?.Select(item => item.Text()).OfType<string>().ToArray() ?? [];

    internal static IEnumerable<KeyValuePair<string, string>> Map(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (At(node, path) as JsonObject)?.Select(p => new KeyValuePair<string, string>(p.Key, p.Value.Text() ?? "")) ?? [];

    /// <summary>An IntOrString field as text.</summary>
    internal static string? IntOrText(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        var value = At(node, path);
        return value.Text() ?? value.Number()?.ToString();
    }

    internal static string Name(this JsonNode node) => node.Text("metadata", "name") ?? "";

    internal static string Namespace(this JsonNode node) => node.Text("metadata", "namespace") ?? "";

    internal static string Uid(this JsonNode node) => node.Text("metadata", "uid") ?? "";

    internal static ObjectKey Key(this JsonNode node) => new(node.Namespace(), node.Name());

    internal static bool IsDeleting(this JsonNode node) => node.At("metadata", "deletionTimestamp") is not null;

    /// <summary>The owner reference with <c>controller: true</c>.</summary>
    internal static JsonObject? Controller(this JsonNode node) =>
        node.Items("metadata", "ownerReferences").FirstOrDefault(o => o.Flag("controller") == true);

    internal static bool IsControlledBy(this JsonNode node, JsonNode owner) => node.Controller()?.Text("uid") is { } uid && uid == owner.Uid();

    /// <summary>A child object, created when it is absent.</summary>
    internal static JsonObject Child(this JsonObject node, string name)
    {
        if (node[name] is not JsonObject child)
        {
            child = [];
            node[name] = child;
        }

        return child;
    }

    internal static JsonArray ToJsonArray(this IEnumerable<string> values) => new([.. values.Select(v => JsonValue.Create(v))]);

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
