using System.Text.Json;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>One line of a watch: <c>{"type": …, "object": …}</c> (kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).</summary>
internal static class WatchLine
{
    /// <summary>The change; an <c>ERROR</c> is thrown.</summary>
    /// <exception cref="KubernetesException">The server ended the watch with a Status (410: the version is too old), or the line is garbage (<c>Malformed</c>).</exception>
    public static WatchEvent<T> Parse<T>(ReadOnlyMemory<byte> line, ResourceType<T> type)
        where T : KubeObject
    {
        var title = $"watch of {type.Plural}";
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var value = root.GetProperty("object");
            switch (root.GetProperty("type").GetString())
            {
                case "ADDED":
                    return Change(WatchEventType.Added, value, type);
                case "MODIFIED":
                    return Change(WatchEventType.Modified, value, type);
                case "DELETED":
                    return Change(WatchEventType.Deleted, value, type);
                case "BOOKMARK":
                    var version = value.GetProperty("metadata").GetProperty("resourceVersion").GetString();
                    return new WatchEvent<T>(WatchEventType.Bookmark, null, Required(version));
                case "ERROR":
                    throw ResponseBody.Failure(title, value.Deserialize(ModelJson.Of<Status>()) ?? new Status(), fallbackCode: 500);
                case var other:
                    throw new JsonException($"event type \"{other}\"");
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new KubernetesException(0, KubernetesException.Malformed, $"{title}: an event is not understood: {e.Message}", inner: e);
        }
    }

    private static WatchEvent<T> Change<T>(WatchEventType kind, JsonElement value, ResourceType<T> type)
        where T : KubeObject
    {
        var changed = value.Deserialize(type.Json) ?? throw new JsonException("null object");
        if (string.IsNullOrEmpty(changed.Metadata.Name))
        {
            throw new JsonException("an object without a name");
        }

        return new WatchEvent<T>(kind, changed, Required(changed.Metadata.ResourceVersion));
    }

    private static string Required(string? version) => !string.IsNullOrEmpty(version) ? version : throw new JsonException("no resourceVersion");
}
