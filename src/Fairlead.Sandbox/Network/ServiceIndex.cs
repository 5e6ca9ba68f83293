using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Network;

/// <summary>Services with their EndpointSlices, kept in step with the store; the proxy and DNS read it.</summary>
internal sealed class ServiceIndex
{
    private const string ServiceLabel = "kubernetes.io/service-name";

    private readonly ObjectCache services;
    private readonly ObjectCache slices;
    private readonly ConcurrentDictionary<ObjectKey, ConcurrentDictionary<string, JsonObject>> slicesOf = new();

    internal ServiceIndex(IObjectStore store)
    {
        services = new ObjectCache(store, Kinds.Services, (_, service, _) => Changed(service.Key()));
        slices = new ObjectCache(store, Kinds.EndpointSlices, OnSlice);
    }

    /// <summary>Called with the service that a change concerns. Set before <see cref="RunAsync"/>.</summary>
    internal Action<ObjectKey> Changed { get; set; } = _ => { };

    internal Task Synced => Task.WhenAll(services.Synced, slices.Synced);

    internal ICollection<JsonObject> Services => services.Items;

    internal JsonObject? Service(ObjectKey key) => services.Get(key);

    internal IEnumerable<JsonObject> Slices(ObjectKey service) => slicesOf.TryGetValue(service, out var known) ? known.Values : [];

    internal Task RunAsync(CancellationToken cancellationToken) => TaskGroup.RunAsync(cancellationToken, services.RunAsync, slices.RunAsync);

    private void OnSlice(WatchEventType type, JsonObject slice, JsonObject? before)
    {
        if (before is not null && before.Text("metadata", "labels", ServiceLabel) != slice.Text("metadata", "labels", ServiceLabel))
        {
            Put(before, present: false);
        }

        Put(slice, present: type != WatchEventType.Deleted);
    }

    private void Put(JsonObject slice, bool present)
    {
        if (slice.Text("metadata", "labels", ServiceLabel) is not { } name)
        {
            return;
        }

        // Only the watch's task writes, so that an emptied entry can go.
        var key = new ObjectKey(slice.Namespace(), name);
        var known = slicesOf.GetOrAdd(key, _ => new ConcurrentDictionary<string, JsonObject>());
        if (present)
        {
            known[slice.Name()] = slice;
        }
        else if (known.TryRemove(slice.Name(), out _) && known.IsEmpty)
        {
            slicesOf.TryRemove(key, out _);
        }

        Changed(key);
    }
}
