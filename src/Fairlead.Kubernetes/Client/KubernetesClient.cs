using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>
/// A typed client of one API server. Every method throws <see cref="KubernetesException"/> when the server refuses or can't be reached,
/// <see cref="KubeConfigException"/> when credentials can't be had, and honours its cancellation token. Safe for concurrent use.
/// Requests that a busy server asks to repeat (429, 503 with Retry-After) are repeated, five times at most.
/// </summary>
public sealed partial class KubernetesClient : IDisposable
{
    /// <summary>Objects per page of a list, as kubectl: keeps the server's and our memory flat.</summary>
    private const int PageSize = 500;

    /// <summary>More than 500 objects of the 1.5 MiB that etcd allows never come; a server that sends more is broken or hostile.</summary>
    private const int MaxResponse = 256 * 1024 * 1024;

    private readonly Transport _transport;
    private readonly Discovery _discovery;
    private readonly TimeProvider _time;

    public KubernetesClient(ClusterConnection connection, TimeProvider? time = null)
    {
        Connection = connection;
        _time = time ?? TimeProvider.System;
        _transport = new Transport(connection, _time);
        _discovery = new Discovery(this);
    }

    public ClusterConnection Connection { get; }

    internal TimeProvider Time => _time;

    /// <summary>The object, or null when there is none of that name (or no such namespace or kind: all are 404). <paramref name="ns"/> is ignored for cluster-scoped kinds.</summary>
    public async Task<T?> GetAsync<T>(ResourceType<T> type, string? ns, string name, CancellationToken cancellationToken = default)
        where T : KubeObject
    {
        try
        {
            return await SendAsync(new ApiRequest(HttpMethod.Get, type.ObjectPath(ns, name)), type, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>
    /// Every object that matches, in pages; of all namespaces when <paramref name="ns"/> is null. If the list expires between two pages
    /// (410) it is read once more, whole. Selectors are in the API's syntax: <c>app=shop,tier!=cache</c>, <c>metadata.name=x</c>.
    /// </summary>
    public async Task<ResourceList<T>> ListAsync<T>(
        ResourceType<T> type,
        string? ns = null,
        string? labelSelector = null,
        string? fieldSelector = null,
        CancellationToken cancellationToken = default)
        where T : KubeObject
    {
        var items = new List<T>();
        string? next = null;
        var limit = PageSize;
        while (true)
        {
            var path = ResourcePath.WithQuery(type.CollectionPath(ns), ("labelSelector", labelSelector), ("fieldSelector", fieldSelector),
                ("limit", limit > 0 ? limit.ToString() : null), ("continue", next));
            ListPage<T> page;
            try
            {
                page = await SendAsync(new ApiRequest(HttpMethod.Get, path), json => ListPage<T>.Parse(json.Span, type), cancellationToken);
            }
            catch (KubernetesException e) when (e.IsGone && next is not null)
            {
                (next, limit) = (null, 0);
                items.Clear();
                continue;
            }

            items.AddRange(page.Items);
            if (page.Continue is null)
            {
                return new ResourceList<T>(items, page.ResourceVersion);
            }

            next = page.Continue;
        }
    }

    /// <summary>Creates and returns what the server made of it. 409 <c>AlreadyExists</c> when the name is taken.</summary>
    public Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        SendAsync(new ApiRequest(HttpMethod.Post, type.CollectionPath(NamespaceOf(type, value)), Body(type, value)), type, cancellationToken);

    /// <summary>
    /// Replaces the whole object; with a resourceVersion in it, 409 <c>Conflict</c> when somebody else changed it since. Fields that the
    /// model lacks are lost: for kinds that others write too, use <see cref="PatchAsync"/>.
    /// </summary>
    public Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        SendAsync(new ApiRequest(HttpMethod.Put, type.ObjectPath(NamespaceOf(type, value), NameOf(value)), Body(type, value)), type, cancellationToken);

    public Task<T> PatchAsync<T>(ResourceType<T> type, string? ns, string name, Patch patch, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        PatchSubresourceAsync(type, ns, name, null, patch, cancellationToken);

    /// <summary>Deletes and returns true, or false when there was none. The object may live on until its finalizers are done.</summary>
    public Task<bool> DeleteAsync<T>(ResourceType<T> type, string? ns, string name, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        DeleteAsync(type, ns, name, new DeleteOptions(), cancellationToken);

    /// <inheritdoc cref="DeleteAsync{T}(ResourceType{T}, string?, string, CancellationToken)"/>
    public Task<bool> DeleteAsync<T>(ResourceType<T> type, string? ns, string name, DeleteOptions options, CancellationToken cancellationToken = default)
        where T : KubeObject =>
        DeleteAsync(type.ObjectPath(ns, name), options, cancellationToken);

    /// <summary>Any GET that answers JSON, such as <c>/version</c>; <paramref name="path"/> with its query.</summary>
    public Task<JsonNode?> GetJsonAsync(string path, CancellationToken cancellationToken = default) =>
        SendAsync(new ApiRequest(HttpMethod.Get, path), json => JsonNode.Parse(json.Span), cancellationToken);

    /// <summary>Any POST that answers JSON, such as a review, whose object the server does not keep.</summary>
    public Task<JsonNode?> PostJsonAsync(string path, JsonNode body, CancellationToken cancellationToken = default) =>
        SendAsync(new ApiRequest(HttpMethod.Post, path, ToUtf8(body)), json => JsonNode.Parse(json.Span), cancellationToken);

    public void Dispose()
    {
        _transport.Dispose();
        _discovery.Dispose();
    }

    private async Task<bool> DeleteAsync(string path, DeleteOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var body = JsonSerializer.SerializeToUtf8Bytes(options, ModelJson.Of<DeleteOptions>());
            return await SendAsync(new ApiRequest(HttpMethod.Delete, path, body), _ => true, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return false;
        }
    }

    private Task<T> SendAsync<T>(ApiRequest request, ResourceType<T> type, CancellationToken cancellationToken)
        where T : KubeObject =>
        SendAsync(request, json => JsonSerializer.Deserialize(json.Span, type.Json) ?? throw new JsonException("null"), cancellationToken);

    /// <summary>Sends, checks the status, reads the bounded body and parses it.</summary>
    internal async Task<TResult> SendAsync<TResult>(ApiRequest request, Func<ReadOnlyMemory<byte>, TResult> parse, CancellationToken cancellationToken)
    {
        using var response = await _transport.SendAsync(request, cancellationToken);
        await ThrowOnFailureAsync(request, response, cancellationToken);
        using var limit = new CancellationTokenSource(request.Timeout, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return parse(await ResponseBody.ReadAsync(response, MaxResponse, stop.Token));
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new KubernetesException(0, KubernetesException.Unreachable, $"{request.Title}: the connection broke off: {e.Message}", inner: e);
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            throw new KubernetesException(0, KubernetesException.Malformed, $"{request.Title}: the answer is not understood: {e.Message}", inner: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KubernetesException(0, KubernetesException.Timeout,
                $"{request.Title}: the answer was not complete within {request.Timeout.TotalSeconds:0} s", inner: e);
        }
    }

    private async Task ThrowOnFailureAsync(ApiRequest request, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            using var limit = new CancellationTokenSource(request.Timeout, _time);
            throw await ResponseBody.ReadFailureAsync(request.Title, response, limit.Token, cancellationToken);
        }
    }

    private static byte[] Body<T>(ResourceType<T> type, T value)
        where T : KubeObject
    {
        var node = JsonSerializer.SerializeToNode(value, type.Json)!.AsObject();
        node.Remove("apiVersion");
        node.Remove("kind");
        node.Insert(0, "apiVersion", type.ApiVersion);
        node.Insert(1, "kind", type.Kind);
        return ToUtf8(node);
    }

    private static byte[] ToUtf8(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, ModelJson.Of<JsonNode>());

    private static string? NamespaceOf<T>(ResourceType<T> type, T value)
        where T : KubeObject =>
        !type.Namespaced || !string.IsNullOrEmpty(value.Metadata.Namespace)
            ? value.Metadata.Namespace
            : throw new ArgumentException($"{type.Kind} is namespaced: metadata.namespace is needed", nameof(value));

    private static string NameOf(KubeObject value) =>
        !string.IsNullOrEmpty(value.Metadata.Name) ? value.Metadata.Name : throw new ArgumentException("metadata.name is needed", nameof(value));
}
