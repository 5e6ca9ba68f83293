using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

public sealed partial class KubernetesClient
{
    private const string ApplyPatch = "application/apply-patch+yaml"; // JSON is YAML

    /// <summary>
    /// Server-side apply of any object: its resource is found by discovery from apiVersion and kind. A namespaced object that names no
    /// namespace goes to the connection's. Returns the object as it is now.
    /// </summary>
    /// <param name="value">An object; it is not changed.</param>
    /// <param name="fieldManager">Who owns the fields that the object sets.</param>
    /// <param name="force">Take over fields that another manager owns; without it they are a 409.</param>
    /// <exception cref="ArgumentException">The object has no apiVersion, kind or name.</exception>
    public async Task<JsonObject> ApplyAsync(JsonNode value, string fieldManager, bool force, CancellationToken cancellationToken = default)
    {
        var path = ResourcePath.WithQuery(await ObjectPathAsync(value, cancellationToken), ("fieldManager", fieldManager), ("force", force ? "true" : null));
        return await SendAsync(new ApiRequest(HttpMethod.Patch, path, ToUtf8(value), ApplyPatch),
            json => JsonNode.Parse(json.Span)?.AsObject() ?? throw new JsonException("null"), cancellationToken);
    }

    /// <summary>Server-side apply of a typed object: exactly the fields that are set are owned by the manager.</summary>
    public Task<T> ApplyAsync<T>(ResourceType<T> type, T value, string fieldManager, bool force, CancellationToken cancellationToken = default)
        where T : KubeObject
    {
        var path = ResourcePath.WithQuery(type.ObjectPath(NamespaceOf(type, value), NameOf(value)), ("fieldManager", fieldManager), ("force", force ? "true" : null));
        return SendAsync(new ApiRequest(HttpMethod.Patch, path, Body(type, value), ApplyPatch), type, cancellationToken);
    }

    /// <summary>The object of that apiVersion, kind, namespace and name as the server has it, or null.</summary>
    public async Task<JsonObject?> GetAsync(JsonNode reference, CancellationToken cancellationToken = default)
    {
        var path = await ObjectPathAsync(reference, cancellationToken);
        try
        {
            return await SendAsync(new ApiRequest(HttpMethod.Get, path), json => JsonNode.Parse(json.Span)?.AsObject(), cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Deletes the object of that apiVersion, kind, namespace and name; false when there was none.</summary>
    public async Task<bool> DeleteAsync(JsonNode reference, CancellationToken cancellationToken = default) =>
        await DeleteAsync(await ObjectPathAsync(reference, cancellationToken), new DeleteOptions(), cancellationToken);

    private async Task<string> ObjectPathAsync(JsonNode value, CancellationToken cancellationToken)
    {
        var apiVersion = Text(value["apiVersion"]) ?? throw new ArgumentException("the object has no apiVersion", nameof(value));
        var kind = Text(value["kind"]) ?? throw new ArgumentException("the object has no kind", nameof(value));
        var name = Text(value["metadata"]?["name"]) ?? throw new ArgumentException($"the {kind} has no metadata.name", nameof(value));
        var resource = await _discovery.FindAsync(apiVersion, kind, cancellationToken);
        var ns = resource.Namespaced ? Text(value["metadata"]?["namespace"]) ?? Connection.Namespace : null;
        return ResourcePath.Of(apiVersion, resource.Plural, ns, name);
    }

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;
}
