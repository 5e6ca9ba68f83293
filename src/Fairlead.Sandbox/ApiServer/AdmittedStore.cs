using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>The store as controllers use it: what they create gets defaults, admission and validation as from any client, all else goes straight through.</summary>
internal sealed class AdmittedStore(IObjectStore store, KindTable kinds, ObjectWriter writer) : IObjectStore
{
    public JsonObject Create(ResourceId resource, JsonObject value) => writer.Create(kinds.Find(resource) ?? throw Failures.NoSuchPath(), value.Clone());

    public JsonObject? Get(ResourceId resource, string? @namespace, string name) => store.Get(resource, @namespace, name);

    public (IReadOnlyList<JsonObject> Items, long ResourceVersion) List(ResourceId resource, string? @namespace = null) => store.List(resource, @namespace);

    public JsonObject Update(ResourceId resource, JsonObject value) => store.Update(resource, value);

    public JsonObject Modify(ResourceId resource, string? @namespace, string name, Func<JsonObject, bool> change) =>
        store.Modify(resource, @namespace, name, change);

    public JsonObject Delete(ResourceId resource, string? @namespace, string name, bool force = false, int? gracePeriodSeconds = null) =>
        store.Delete(resource, @namespace, name, force, gracePeriodSeconds);

    public IAsyncEnumerable<WatchEvent> Watch(ResourceId resource, long sinceResourceVersion, string? @namespace = null, CancellationToken cancellationToken = default) =>
        store.Watch(resource, sinceResourceVersion, @namespace, cancellationToken);
}
