using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>Group, version and plural of a resource, as in its URL. The core group is the empty string.</summary>
public readonly record struct ResourceId(string Group, string Version, string Plural);

public enum WatchEventType
{
    Added,
    Modified,
    Deleted,
    Bookmark,
}

/// <summary>One change; <see cref="Object"/> is shared and must not be modified (clone it first).</summary>
public sealed record WatchEvent(WatchEventType Type, JsonObject Object, long ResourceVersion)
{
    /// <summary>The object before a modification or deletion: a watch with a selector must know whether it used to match.</summary>
    public JsonObject? Previous { get; init; }
}

/// <summary>
/// The cluster's objects, held in memory, with Kubernetes' rules of optimistic concurrency. Objects that go in are cloned, objects
/// that come out are shared and must not be modified. Failures are <see cref="StatusException"/>, as the API would report them.
/// Controllers and nodes use this directly; admission, RBAC and validation are the API server's, in front of it.
/// </summary>
public interface IObjectStore
{
    JsonObject? Get(ResourceId resource, string? @namespace, string name);

    /// <summary>All objects of a kind (of one namespace when given), ordered by namespace and name, and the version to watch from.</summary>
    (IReadOnlyList<JsonObject> Items, long ResourceVersion) List(ResourceId resource, string? @namespace = null);

    /// <summary>Assigns uid, creationTimestamp, resourceVersion and, with generateName, a name. 409 when it exists.</summary>
    JsonObject Create(ResourceId resource, JsonObject value);

    /// <summary>Replaces; 409 when value carries a resourceVersion that is not the current one, 404 when there is none.</summary>
    JsonObject Update(ResourceId resource, JsonObject value);

    /// <summary>Reads, lets <paramref name="change"/> modify a clone, writes, and repeats on conflict; nothing is written when it returns false.</summary>
    JsonObject Modify(ResourceId resource, string? @namespace, string name, Func<JsonObject, bool> change);

    /// <summary>
    /// Deletes; with finalizers or a grace period (pods) only sets deletionTimestamp first. <paramref name="force"/> removes at once,
    /// which is what a node does once a pod's processes have ended. Finalizers are waited for in any case; those of a namespace include
    /// <c>spec.finalizers</c>, which the namespace controller empties when nothing is left in it. Taking away the last one removes the object.
    /// </summary>
    JsonObject Delete(ResourceId resource, string? @namespace, string name, bool force = false, int? gracePeriodSeconds = null);

    /// <summary>Every change after <paramref name="sinceResourceVersion"/>, in order, none lost and none twice; 410 when it is too old.</summary>
    IAsyncEnumerable<WatchEvent> Watch(ResourceId resource, long sinceResourceVersion, string? @namespace = null, CancellationToken cancellationToken = default);
}
