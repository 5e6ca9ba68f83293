using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>
/// Deletes what is owned once its last owner is gone. Owners are objects of the built-in kinds that own others; the keys of its queue are
/// namespaces, which are looked through whole, because owners may vanish before their dependents are seen.
/// </summary>
internal sealed class GarbageCollector : Controller
{
    private static readonly ResourceId[] OwnerKinds =
        [Kinds.Deployments, Kinds.ReplicaSets, Kinds.StatefulSets, Kinds.Services, Kinds.Pods, Kinds.ConfigMaps, Kinds.Secrets, Kinds.ServiceAccounts];

    private readonly KindTable kinds;

    internal GarbageCollector(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        kinds = new KindTable(store);
        foreach (var kind in OwnerKinds)
        {
            // A new object may have lost its owner between the decision to make it and the making.
            Watch(kind, (type, value, _) =>
                type == WatchEventType.Deleted || (type == WatchEventType.Added && value.Maps("metadata", "ownerReferences").Any())
                    ? [new ObjectKey("", value.Namespace())]
                    : []);
        }
    }

    protected override void Reconcile(ObjectKey key)
    {
        foreach (var resource in kinds.All.Where(kind => kind.Namespaced).Select(kind => kind.StorageId).Distinct().ToArray())
        {
            foreach (var item in Store.List(resource, key.Name).Items.Where(item => !item.IsBeingDeleted()))
            {
                var owners = item.Maps("metadata", "ownerReferences").ToArray();
                if (owners.Length > 0 && owners.All(owner => IsGone(key.Name, owner)))
                {
                    Store.Delete(resource, key.Name, item.Name());
                }
            }
        }
    }

    private bool IsGone(string @namespace, JsonObject owner)
    {
        var kind = kinds.FindKind(owner.Text("apiVersion") ?? "", owner.Text("kind") ?? "");
        if (kind is null)
        {
            return false; // A kind that is not served now: nothing can be said.
        }

        var found = Store.Get(kind.StorageId, kind.Namespaced ? @namespace : null, owner.Text("name") ?? "");
        return found is null || found.Uid() != owner.Text("uid");
    }
}
