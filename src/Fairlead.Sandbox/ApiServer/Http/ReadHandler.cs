using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Selectors;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>get, list and watch.</summary>
internal sealed class ReadHandler(IObjectStore store, TimeProvider time, CancellationToken stopping)
{
    /// <summary>A client that doesn't say lets the server choose: half an hour to an hour.</summary>
    private static readonly TimeSpan ShortestDefaultWatch = TimeSpan.FromMinutes(30);

    private readonly ListPages pages = new();

    public JsonObject Find(ResourceKind kind, ApiRequest request) =>
        store.Get(kind.StorageId, request.Namespace, request.Name) ?? throw Failures.NotFound(kind.Id, request.Name);

    public Task GetAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var reply = ObjectReply.For(context.Request, kind, time.GetUtcNow());
        var found = Find(kind, request);
        return context.Response.ReplyAsync(writer => reply.WriteOne(writer, found), context.RequestAborted);
    }

    public Task ListAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var query = context.Request.Query;
        var reply = ObjectReply.For(context.Request, kind, time.GetUtcNow());
        var limit = Number(query["limit"]) ?? 0;
        if (query["continue"].ToString() is { Length: > 0 } token)
        {
            var (page, following, left, version) = pages.Next(token, limit);
            return context.Response.ReplyAsync(writer => reply.WriteList(writer, page, version, following, left), context.RequestAborted);
        }

        var matches = Filter(kind, query);
        var (items, current) = store.List(kind.StorageId, request.Namespace);
        var (first, next, remaining) = pages.First([.. items.Where(matches)], current, limit);
        return context.Response.ReplyAsync(writer => reply.WriteList(writer, first, current, next, remaining), context.RequestAborted);
    }

    public async Task WatchAsync(HttpContext context, ResourceKind kind, ApiRequest request)
    {
        var query = context.Request.Query;
        if (query.ContainsKey("sendInitialEvents"))
        {
            throw Failures.BadRequest("sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
        }

        var matches = Filter(kind, query);
        if (request.Name.Length > 0)
        {
            var all = matches;
            matches = item => item.Name() == request.Name && all(item);
        }

        // Without a version the watch begins with what there is; "0" is any version, of which the present one is the best.
        var initial = (IReadOnlyList<JsonObject>)[];
        if (!long.TryParse(query["resourceVersion"], NumberStyles.None, CultureInfo.InvariantCulture, out var since) || since == 0)
        {
            (initial, since) = store.List(kind.StorageId, request.Namespace);
        }

        var duration = Number(query["timeoutSeconds"]) is > 0 and var seconds
            ? TimeSpan.FromSeconds(seconds)
            : ShortestDefaultWatch * (1 + Random.Shared.NextDouble());
        using var timeout = new CancellationTokenSource(duration, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, context.RequestAborted, stopping);
        var reply = new WatchReply(context.Response, kind, ObjectReply.For(context.Request, kind, time.GetUtcNow()), matches, time);
        var changes = store.Watch(kind.StorageId, since, request.Namespace, end.Token);
        await reply.RunAsync(initial, changes, since, query["allowWatchBookmarks"].ToString() is "true" or "1", context.RequestAborted);
    }

    public static Func<JsonObject, bool> Filter(ResourceKind kind, IQueryCollection query)
    {
        var labels = LabelSelector.Parse(query["labelSelector"]);
        var fields = FieldSelector.Parse(query["fieldSelector"], kind.FieldLabels);
        return item => labels.Matches(item) && fields.Matches(item);
    }

    private static int? Number(string? text) =>
        string.IsNullOrEmpty(text) ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw Failures.BadRequest($"invalid number in the query: \"{text}\"");
}
