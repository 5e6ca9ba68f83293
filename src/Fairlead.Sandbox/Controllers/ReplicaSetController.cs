using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>Keeps the wanted number of pods of a ReplicaSet.</summary>
internal sealed class ReplicaSetController : Controller
{
    internal ReplicaSetController(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        Watch(Kinds.ReplicaSets, Itself);
        Watch(Kinds.Pods, pod => Owner(pod, "ReplicaSet"));
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (Store.Get(Kinds.ReplicaSets, key.Namespace, key.Name) is not { } set || set.IsBeingDeleted())
        {
            return;
        }

        // From the store, not the cache: the cache may not have the pods yet that the last round made.
        var owned = Store.List(Kinds.Pods, key.Namespace).Items.Where(pod => pod.IsControlledBy(set)).ToArray();
        var active = owned.Where(PodTemplates.IsActive).ToArray();
        var wanted = Math.Max(0, set.Number("spec", "replicas") ?? 1);
        for (var i = active.Length; i < wanted; i++)
        {
            var pod = PodTemplates.Pod(set, "apps/v1", "ReplicaSet");
            pod.Ensure("metadata")["generateName"] = set.Name() + "-";
            Store.Create(Kinds.Pods, pod);
        }

        foreach (var pod in active.OrderBy(PodTemplates.IsReady).ThenByDescending(p => p.Text("metadata", "creationTimestamp"), StringComparer.Ordinal)
            .Take(active.Length - wanted))
        {
            Store.Delete(Kinds.Pods, key.Namespace, pod.Name());
        }

        foreach (var pod in owned.Where(pod => pod.Text("status", "phase") == "Failed" && !pod.IsBeingDeleted()))
        {
            Store.Delete(Kinds.Pods, key.Namespace, pod.Name());
        }

        var ready = active.Count(PodTemplates.IsReady);
        Store.Modify(Kinds.ReplicaSets, key.Namespace, key.Name, found =>
        {
            var status = found.Ensure("status");
            status["replicas"] = active.Length;
            status["fullyLabeledReplicas"] = active.Length;
            status["readyReplicas"] = ready;
            status["availableReplicas"] = ready;
            status["observedGeneration"] = found.Number("metadata", "generation") ?? 1;
            return true;
        });
    }
}
