using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>
/// Brings objects of one kind, one after another, to where they should be, whenever they or something of theirs changed. What failed is
/// tried again; a conflict or a vanished object at once, anything else after a pause.
/// </summary>
internal abstract partial class Controller(IObjectStore store, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(1);

    private readonly List<ObjectCache> caches = [];

    // Bounded by the number of objects: a key waits at most once.
    private readonly ConcurrentDictionary<ObjectKey, bool> dirty = new();
    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    protected IObjectStore Store => store;

    protected TimeProvider Time => time;

    protected ILogger Logger => logger;

    internal async Task RunAsync(CancellationToken cancellationToken) =>
        await TaskGroup.RunAsync(cancellationToken, [.. caches.Select(cache => (Func<CancellationToken, Task>)cache.RunAsync), WorkAsync]);

    /// <summary>Watches a kind; <paramref name="touched"/> says which objects a change concerns.</summary>
    protected ObjectCache Watch(ResourceId resource, Func<JsonObject, IEnumerable<ObjectKey>> touched) =>
        Watch(resource, (_, value, before) => before is null ? touched(value) : touched(value).Concat(touched(before)));

    protected ObjectCache Watch(ResourceId resource, Func<WatchEventType, JsonObject, JsonObject?, IEnumerable<ObjectKey>> touched)
    {
        var cache = new ObjectCache(store, resource, (type, value, before) =>
        {
            foreach (var key in touched(type, value, before))
            {
                Touch(key);
            }
        });
        caches.Add(cache);
        return cache;
    }

    protected static IEnumerable<ObjectKey> Itself(JsonObject value) => [value.Key()];

    /// <summary>The controlling owner, when it is of <paramref name="kind"/>.</summary>
    protected static IEnumerable<ObjectKey> Owner(JsonObject value, string kind) =>
        value.Controller() is { } owner && owner.Text("kind") == kind ? [new ObjectKey(value.Namespace(), owner.Text("name") ?? "")] : [];

    protected void Touch(ObjectKey key)
    {
        dirty[key] = true;
        wake.Writer.TryWrite(true);
    }

    protected abstract void Reconcile(ObjectKey key);

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        var retries = new List<Task>();
        await Task.WhenAll(caches.Select(cache => cache.Synced)).WaitAsync(cancellationToken);
        while (await wake.Reader.WaitToReadAsync(cancellationToken))
        {
            wake.Reader.TryRead(out _);
            foreach (var key in dirty.Keys)
            {
                cancellationToken.ThrowIfCancellationRequested();
                dirty.TryRemove(key, out _);
                var pause = Try(key);
                if (pause is { } wait)
                {
                    retries.RemoveAll(retry => retry.IsCompleted);
                    retries.Add(TouchLaterAsync(key, wait, cancellationToken));
                }
            }
        }
    }

    private async Task TouchLaterAsync(ObjectKey key, TimeSpan pause, CancellationToken cancellationToken)
    {
        await Task.Delay(pause, time, cancellationToken).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        Touch(key);
    }

    private TimeSpan? Try(ObjectKey key)
    {
        try
        {
            Reconcile(key);
            return null;
        }
        catch (StatusException e) when (e.Code is 404 or 409)
        {
            return Soon;
        }
        catch (Exception e)
        {
            LogFailure(GetType().Name, key, e.Message);
            return Later;
        }
    }

    [LoggerMessage(3201, LogLevel.Warning, "{Controller} failed for {Key}, trying again: {Reason}")]
    private partial void LogFailure(string controller, ObjectKey key, string reason);
}
