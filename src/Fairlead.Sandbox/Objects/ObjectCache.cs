using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Objects;

/// <summary>
/// All objects of one kind, kept in step with the store: list, then watch, and list again when the watch is too old (410).
/// <paramref name="changed"/> is called in order on one task with the object and what was known of it before; an object that vanished during a new list is reported as deleted.
/// </summary>
internal sealed class ObjectCache(IObjectStore store, ResourceId resource, Action<WatchEventType, JsonObject, JsonObject?>? changed = null)
{
    private const int Gone = 410;

    private readonly ConcurrentDictionary<ObjectKey, JsonObject> items = new();
    private readonly TaskCompletionSource synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Done once the first list has been taken in.</summary>
    internal Task Synced => synced.Task;

    internal ICollection<JsonObject> Items => items.Values;

    internal JsonObject? Get(ObjectKey key) => items.GetValueOrDefault(key);

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var from = Replace();
            try
            {
                await foreach (var change in store.Watch(resource, from, null, cancellationToken))
                {
                    Take(change);
                }
            }
            catch (StatusException e) when (e.Code == Gone)
            {
                continue;
            }

            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private long Replace()
    {
        var (list, version) = store.List(resource);
        var present = list.Select(item => item.Key()).ToHashSet();
        foreach (var (key, old) in items.ToArray())
        {
            if (!present.Contains(key) && items.TryRemove(key, out _))
            {
                changed?.Invoke(WatchEventType.Deleted, old, old);
            }
        }

        foreach (var item in list)
        {
            var known = items.GetValueOrDefault(item.Key());
            items[item.Key()] = item;
            changed?.Invoke(known is null ? WatchEventType.Added : WatchEventType.Modified, item, known);
        }

        synced.TrySetResult();
        return version;
    }

    private void Take(WatchEvent change)
    {
        var known = items.GetValueOrDefault(change.Object.Key());
        switch (change.Type)
        {
            case WatchEventType.Bookmark:
                return;
            case WatchEventType.Deleted:
                items.TryRemove(change.Object.Key(), out _);
                break;
            default:
                items[change.Object.Key()] = change.Object;
                break;
        }

        changed?.Invoke(change.Type, change.Object, known);
    }
}
