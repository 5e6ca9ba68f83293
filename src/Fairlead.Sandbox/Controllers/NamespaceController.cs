using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>Empties a namespace that is being deleted and lets it go when nothing is left in it.</summary>
internal sealed class NamespaceController : Controller
{
    private readonly KindTable kinds;

    internal NamespaceController(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        kinds = new KindTable(store);
        Watch(Kinds.Namespaces, Itself);
        // What outlives its deletion: pods end in their own time.
        Watch(Kinds.Pods, pod => pod.IsBeingDeleted() ? [new ObjectKey("", pod.Namespace())] : []);
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (Store.Get(Kinds.Namespaces, null, key.Name) is not { } space || !space.IsBeingDeleted())
        {
            return;
        }

        var left = 0;
        foreach (var resource in kinds.All.Where(kind => kind.Namespaced).Select(kind => kind.StorageId).Distinct().OrderBy(id => id == Kinds.Pods))
        {
            foreach (var item in Store.List(resource, key.Name).Items)
            {
                if (!item.IsBeingDeleted())
                {
                    Store.Delete(resource, key.Name, item.Name());
                }
            }

            left += Store.List(resource, key.Name).Items.Count;
        }

        if (left > 0)
        {
            // Finalizers of others: nobody tells when they are done.
            throw new StatusException(409, "Conflict", $"namespace {key.Name} still holds {left} objects");
        }

        Store.Modify(Kinds.Namespaces, null, key.Name, found =>
        {
            found.Ensure("spec").Remove("finalizers");
            return true;
        });
    }
}
