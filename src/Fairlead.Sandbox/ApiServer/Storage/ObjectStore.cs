using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Storage;

/// <summary>The cluster's objects in memory: one lock, one counter of versions for all resources, one history of changes for each.</summary>
/// <param name="time">Clock for creation and deletion timestamps.</param>
/// <param name="historyLength">
/// Changes kept for each resource, a few ten KiB each at most: enough for a watcher that falls some seconds behind a burst, which otherwise
/// has to list again.
/// </param>
public sealed class ObjectStore(TimeProvider? time = null, int historyLength = 4096) : IObjectStore
{
    private static readonly ResourceId Pods = new("", "v1", "pods");

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly Lock gate = new();
    private readonly Dictionary<ResourceId, Collection> collections = [];
    private long version = 1;

    public JsonObject? Get(ResourceId resource, string? @namespace, string name)
    {
        lock (gate)
        {
            return CollectionOf(resource).Objects.GetValueOrDefault(new ObjectKey(@namespace ?? "", name));
        }
    }

    public (IReadOnlyList<JsonObject> Items, long ResourceVersion) List(ResourceId resource, string? @namespace = null)
    {
        lock (gate)
        {
            var objects = CollectionOf(resource).Objects;
            var items = @namespace is null
                ? objects.Values.ToArray()
                : [.. objects.Where(entry => entry.Key.Namespace == @namespace).Select(entry => entry.Value)];
            return (items, version);
        }
    }

    public JsonObject Create(ResourceId resource, JsonObject value)
    {
        var created = Snapshot.Of(value);
        var metadata = created.Metadata();
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = time.GetUtcNow().ToTimestamp();
        metadata.Remove("deletionTimestamp");
        metadata.Remove("deletionGracePeriodSeconds");
        lock (gate)
        {
            var collection = CollectionOf(resource);
            if (created.Name().Length == 0)
            {
                var prefix = created.Text("metadata", "generateName") ?? "";
                metadata["name"] = GeneratedName.Choose(prefix, name => collection.Objects.ContainsKey(new ObjectKey(created.Namespace() ?? "", name)));
            }

            var key = ObjectKey.Of(created);
            if (collection.Objects.ContainsKey(key))
            {
                throw Failures.AlreadyExists(resource, key.Name);
            }

            return collection.Put(key, Stamp(created), previous: null);
        }
    }

    public JsonObject Update(ResourceId resource, JsonObject value)
    {
        var updated = Snapshot.Of(value);
        lock (gate)
        {
            return Replace(resource, updated);
        }
    }

    public JsonObject Modify(ResourceId resource, string? @namespace, string name, Func<JsonObject, bool> change)
    {
        while (true)
        {
            var current = Get(resource, @namespace, name) ?? throw Failures.NotFound(resource, name);
            var modified = current.Clone();
            if (!change(modified))
            {
                return current;
            }

            modified = Snapshot.Of(modified);
            lock (gate)
            {
                if (ReferenceEquals(CollectionOf(resource).Objects.GetValueOrDefault(ObjectKey.Of(current)), current))
                {
                    modified.Metadata()["resourceVersion"] = current.Text("metadata", "resourceVersion");
                    return Replace(resource, modified);
                }
            }
        }
    }

    public JsonObject Delete(ResourceId resource, string? @namespace, string name, bool force = false, int? gracePeriodSeconds = null)
    {
        lock (gate)
        {
            var collection = CollectionOf(resource);
            var key = new ObjectKey(@namespace ?? "", name);
            var current = collection.Objects.GetValueOrDefault(key) ?? throw Failures.NotFound(resource, name);
            var grace = force ? 0 : GraceOf(resource, current, gracePeriodSeconds);
            if (grace == 0 && !HasFinalizers(current))
            {
                return Remove(collection, key, current);
            }

            if (current.IsBeingDeleted() && grace >= (current.Number("metadata", "deletionGracePeriodSeconds") ?? 0))
            {
                return current; // A second delete may only shorten the grace period.
            }

            var dying = current.Clone();
            var metadata = dying.Metadata();
            metadata["deletionTimestamp"] = time.GetUtcNow().AddSeconds(grace).ToTimestamp();
            metadata["deletionGracePeriodSeconds"] = grace;
            if (dying.Text("kind") == "Namespace")
            {
                dying.Ensure("status")["phase"] = "Terminating";
            }

            return collection.Put(key, Stamp(Snapshot.Of(dying)), current);
        }
    }

    public async IAsyncEnumerable<WatchEvent> Watch(
        ResourceId resource, long sinceResourceVersion, string? @namespace = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var cursor = sinceResourceVersion;
        while (true)
        {
            var (changes, changed) = ReadHistory(resource, cursor);
            foreach (var change in changes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                cursor = change.ResourceVersion;
                if (@namespace is null || change.Object.Namespace() == @namespace)
                {
                    yield return change;
                }
            }

            if (changes.Length == 0)
            {
                await changed.WaitAsync(cancellationToken);
            }
        }
    }

    private (WatchEvent[] Changes, Task Changed) ReadHistory(ResourceId resource, long cursor)
    {
        lock (gate)
        {
            var history = CollectionOf(resource).History;
            // A version of the future belongs to a cluster that was here before this one.
            if (cursor < history.CompleteSince || cursor > version)
            {
                throw Failures.Expired(cursor, history.CompleteSince);
            }

            return (history.After(cursor), history.Changed);
        }
    }

    private JsonObject Replace(ResourceId resource, JsonObject updated)
    {
        var collection = CollectionOf(resource);
        var key = ObjectKey.Of(updated);
        var current = collection.Objects.GetValueOrDefault(key) ?? throw Failures.NotFound(resource, key.Name);
        var metadata = updated.Metadata();
        if (metadata.Text("resourceVersion") is { Length: > 0 } && updated.ResourceVersion() != current.ResourceVersion())
        {
            throw Failures.Conflict(resource, key.Name);
        }

        if (updated.Uid() is { } uid && uid != current.Uid())
        {
            throw Failures.Conflict(
                resource, key.Name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {current.Uid()}");
        }

        foreach (var fixedField in (ReadOnlySpan<string>)["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"])
        {
            metadata.Remove(fixedField);
            if (current.At("metadata", fixedField) is { } kept)
            {
                metadata[fixedField] = kept.DeepClone();
            }
        }

        KeepGeneration(updated, current);
        if (JsonNode.DeepEquals(updated, current))
        {
            return current; // Nothing is new: no version, no event, as in Kubernetes, so that controllers come to rest.
        }

        return current.IsBeingDeleted() && (current.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0 && !HasFinalizers(updated)
            ? Remove(collection, key, updated)
            : collection.Put(key, Stamp(updated), current);
    }

    /// <summary>An object that was created with a generation counts every change of what is wanted, that is of all but metadata and status.</summary>
    private static void KeepGeneration(JsonObject updated, JsonObject current)
    {
        var metadata = updated.Metadata();
        metadata.Remove("generation");
        if (current.Number("metadata", "generation") is { } generation)
        {
            var same = updated.Where(IsWanted).Count() == current.Where(IsWanted).Count()
                && updated.Where(IsWanted).All(field => JsonNode.DeepEquals(field.Value, current[field.Key]));
            metadata["generation"] = same ? generation : generation + 1;
        }

        static bool IsWanted(KeyValuePair<string, JsonNode?> field) => field.Key is not ("metadata" or "status");
    }

    private JsonObject Remove(Collection collection, ObjectKey key, JsonObject last)
    {
        var removed = Stamp(Snapshot.Of(last));
        collection.Objects.Remove(key, out var previous);
        collection.History.Add(new WatchEvent(WatchEventType.Deleted, removed, version) { Previous = previous });
        return removed;
    }

    private JsonObject Stamp(JsonObject value)
    {
        value.Metadata()["resourceVersion"] = (++version).ToString();
        return value;
    }

    private Collection CollectionOf(ResourceId resource) =>
        collections.TryGetValue(resource, out var found) ? found : collections[resource] = new Collection(historyLength);

    /// <summary>Seconds that a deletion leaves the object: only a pod on a node that may still run has any.</summary>
    private static int GraceOf(ResourceId resource, JsonObject value, int? asked)
    {
        if (resource != Pods || value.Text("spec", "nodeName") is null or "" || value.Text("status", "phase") is "Succeeded" or "Failed")
        {
            return 0;
        }

        return Math.Max(0, asked ?? (int)(value.Number("spec", "terminationGracePeriodSeconds") ?? 30));
    }

    private static bool HasFinalizers(JsonObject value) =>
        value.Texts("metadata", "finalizers").Any() || (value.Text("kind") == "Namespace" && value.Texts("spec", "finalizers").Any());

    private readonly record struct ObjectKey(string Namespace, string Name) : IComparable<ObjectKey>
    {
        public static ObjectKey Of(JsonObject value) => new(value.Namespace() ?? "", value.Name());

        public int CompareTo(ObjectKey other) =>
            string.CompareOrdinal(Namespace, other.Namespace) is not 0 and var order ? order : string.CompareOrdinal(Name, other.Name);
    }

    private sealed class Collection(int historyLength)
    {
        public SortedDictionary<ObjectKey, JsonObject> Objects { get; } = [];

        public EventHistory History { get; } = new(historyLength);

        public JsonObject Put(ObjectKey key, JsonObject value, JsonObject? previous)
        {
            Objects[key] = value;
            var type = previous is null ? WatchEventType.Added : WatchEventType.Modified;
            History.Add(new WatchEvent(type, value, value.ResourceVersion()) { Previous = previous });
            return value;
        }
    }
}
