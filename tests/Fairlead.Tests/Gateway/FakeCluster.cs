using System.Text.Json.Nodes;
using Fairlead.Kubernetes;
using Fairlead.Tests.Kubernetes;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Tests.Gateway;

/// <summary>A small API server in memory: objects by their URL, resource versions with conflicts, list and watch. Nothing is validated.</summary>
internal sealed class FakeCluster : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, JsonObject> objects = [];
    private readonly List<(long Version, string Type, string Path, JsonObject Object)> history = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long version = 10;
    private MockApi? api;

    public KubernetesClient Client { get; private set; } = null!;

    public Uri Url => api!.Url;

    /// <summary>Called before each write is looked at, outside the lock: a race in slow motion.</summary>
    public Func<string, string, Task>? BeforeWrite { get; set; }

    public static async Task<FakeCluster> StartAsync()
    {
        var cluster = new FakeCluster();
        cluster.api = await MockApi.StartAsync(cluster.HandleAsync);
        cluster.Client = cluster.api.Client(ns: "fairlead");
        return cluster;
    }

    public JsonObject? Get(string path)
    {
        lock (gate)
        {
            return objects.TryGetValue(path, out var found) ? found.DeepClone().AsObject() : null;
        }
    }

    /// <param name="path">Of the object, such as <c>/api/v1/namespaces/shop/services/frontend</c>.</param>
    public void Put(string path, string json)
    {
        var value = JsonNode.Parse(json)!.AsObject();
        lock (gate)
        {
            var metadata = value["metadata"] as JsonObject ?? [];
            value["metadata"] = metadata;
            var (_, ns, _, name) = Split(path);
            metadata["name"] = name;
            if (ns is not null)
            {
                metadata["namespace"] = ns;
            }

            metadata["uid"] = objects.TryGetValue(path, out var old) ? old["metadata"]!["uid"]!.GetValue<string>() : Guid.NewGuid().ToString();
            Store(old is null ? "ADDED" : "MODIFIED", path, value);
        }
    }

    public void Delete(string path)
    {
        lock (gate)
        {
            if (objects.Remove(path, out var old))
            {
                old["metadata"]!["resourceVersion"] = (++version).ToString();
                Tell("DELETED", path, old);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await api!.DisposeAsync();
    }

    private void Store(string type, string path, JsonObject value)
    {
        value["metadata"]!["resourceVersion"] = (++version).ToString();
        objects[path] = value;
        Tell(type, path, value);
    }

    private void Tell(string type, string path, JsonObject value)
    {
        history.Add((version, type, path, value.DeepClone().AsObject()));
        Interlocked.Exchange(ref changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task HandleAsync(HttpContext context, MockRequest request)
    {
        if (request.Path == "/version")
        {
            await MockApi.AnswerAsync(context, "{}");
            return;
        }

        var (_, _, _, name) = Split(request.Path);
        if (request.Method != "GET" && BeforeWrite is { } before)
        {
            await before(request.Method, request.Path);
        }

        if (name is null && request.Method == "GET" && context.Request.Query["watch"].ToString() is "true" or "1")
        {
            await WatchAsync(context, request);
            return;
        }

        var (code, json) = Answer(context, request, name);
        if (code is 200 or 201)
        {
            await MockApi.AnswerAsync(context, json, code);
        }
        else
        {
            await MockApi.FailAsync(context, code, json);
        }
    }

    private (int Code, string Json) Answer(HttpContext context, MockRequest request, string? name)
    {
        lock (gate)
        {
            if (name is null)
            {
                return request.Method == "POST" ? Create(request) : (200, List(context, request));
            }

            objects.TryGetValue(request.Path, out var found);
            switch (request.Method)
            {
                case "PATCH" when request.ContentType?.Contains("apply-patch") == true:
                    PutLocked(request.Path, JsonNode.Parse(request.Body)!.AsObject(), found);
                    return (200, objects[request.Path].ToJsonString());
                case "GET" or "PUT" or "PATCH" or "DELETE" when found is null:
                    return (404, "NotFound");
                case "GET":
                    return (200, found!.ToJsonString());
                case "DELETE":
                    Delete(request.Path);
                    return (200, found!.ToJsonString());
                case "PUT":
                    var value = JsonNode.Parse(request.Body)!.AsObject();
                    if (value["metadata"]?["resourceVersion"]?.GetValue<string>() is { } expected && expected != found!["metadata"]!["resourceVersion"]!.GetValue<string>())
                    {
                        return (409, "Conflict");
                    }

                    Store("MODIFIED", request.Path, value);
                    return (200, value.ToJsonString());
                default:
                    var patched = found!.DeepClone().AsObject();
                    Merge(patched, JsonNode.Parse(request.Body)!.AsObject());
                    Store("MODIFIED", request.Path, patched);
                    return (200, patched.ToJsonString());
            }
        }
    }

    private void PutLocked(string path, JsonObject value, JsonObject? found)
    {
        value["metadata"]!["uid"] = found?["metadata"]?["uid"]?.GetValue<string>() ?? Guid.NewGuid().ToString();
        Store(found is null ? "ADDED" : "MODIFIED", path, value);
    }

    private (int, string) Create(MockRequest request)
    {
        var value = JsonNode.Parse(request.Body)!.AsObject();
        var path = $"{request.Path}/{value["metadata"]!["name"]}";
        if (objects.ContainsKey(path))
        {
            return (409, "AlreadyExists");
        }

        value["metadata"]!["uid"] = Guid.NewGuid().ToString();
        Store("ADDED", path, value);
        return (201, value.ToJsonString());
    }

    private string List(HttpContext context, MockRequest request)
    {
        var items = objects.Where(o => Belongs(o.Key, o.Value, context, request)).Select(o => o.Value.DeepClone()).ToArray();
        return new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = version.ToString() }, ["items"] = new JsonArray(items) }.ToJsonString();
    }

    private async Task WatchAsync(HttpContext context, MockRequest request)
    {
        var position = long.Parse(context.Request.Query["resourceVersion"].ToString());
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync();
        try
        {
            while (true)
            {
                var next = Volatile.Read(ref changed).Task;
                string[] lines;
                lock (gate)
                {
                    lines = [.. history.Where(h => h.Version > position && Belongs(h.Path, h.Object, context, request))
                        .Select(h => new JsonObject { ["type"] = h.Type, ["object"] = h.Object.DeepClone() }.ToJsonString() + "\n")];
                    position = version;
                }

                foreach (var line in lines)
                {
                    await context.Response.WriteAsync(line, context.RequestAborted);
                }

                await context.Response.Body.FlushAsync(context.RequestAborted);
                await next.WaitAsync(context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            // The watcher went away.
        }
    }

    private static bool Belongs(string path, JsonObject value, HttpContext context, MockRequest request)
    {
        var (prefix, ns, plural, name) = Split(path);
        var wanted = Split(request.Path);
        if (prefix != wanted.Prefix || plural != wanted.Plural || (wanted.Namespace is not null && ns != wanted.Namespace))
        {
            return false;
        }

        if (context.Request.Query["fieldSelector"].ToString() is { Length: > 0 } fields && fields != "metadata.name=" + name)
        {
            return false;
        }

        return context.Request.Query["labelSelector"].ToString() is not { Length: > 0 } labels
            || labels.Split(',').All(l => l.Split('=') is [var key, var label] && value["metadata"]?["labels"]?[key]?.GetValue<string>() == label);
    }

    private static (string Prefix, string? Namespace, string Plural, string? Name) Split(string path)
    {
        var parts = path.Trim('/').Split('/');
        var skip = parts[0] == "api" ? 2 : 3;
        var prefix = string.Join('/', parts.Take(skip));
        var rest = parts[skip..];
        return rest is ["namespaces", var ns, var plural, .. var tail] ? (prefix, ns, plural, tail.FirstOrDefault()) : (prefix, null, rest[0], rest.ElementAtOrDefault(1));
    }

    private static void Merge(JsonObject into, JsonObject change)
    {
        foreach (var (key, value) in change)
        {
            if (value is JsonObject inner && into[key] is JsonObject old)
            {
                Merge(old, inner);
            }
            else if (value is null)
            {
                into.Remove(key);
            }
            else
            {
                into[key] = value.DeepClone();
            }
        }
    }
}
