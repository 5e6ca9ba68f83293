using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>Deployments: a ReplicaSet for each revision of the template, rolled over as the strategy says.</summary>
internal sealed class DeploymentController : Controller
{
    private const string Revision = "deployment.kubernetes.io/revision";
    private const string HashLabel = "pod-template-hash";

    internal DeploymentController(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        Watch(Kinds.Deployments, Itself);
        Watch(Kinds.ReplicaSets, set => Owner(set, "Deployment"));
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (Store.Get(Kinds.Deployments, key.Namespace, key.Name) is not { } deployment || deployment.IsBeingDeleted())
        {
            return;
        }

        var sets = Store.List(Kinds.ReplicaSets, key.Namespace).Items.Where(set => set.IsControlledBy(deployment) && !set.IsBeingDeleted()).ToList();
        var hash = PodTemplates.Hash(deployment.At("spec", "template"));
        var current = sets.Find(set => set.Text("metadata", "labels", HashLabel) == hash);
        var old = sets.Where(set => set != current).ToList();
        if (deployment.Flag("spec", "paused") != true)
        {
            if (current is null && (deployment.Text("spec", "strategy", "type") != "Recreate" || AllGone(old)))
            {
                current = CreateSet(deployment, hash, sets);
            }
            else if (current is not null)
            {
                current = Promote(current, old);
            }

            Scale(deployment, current, old);
        }

        Trim(deployment, old);
        Report(key, deployment);
    }

    private static int Replicas(JsonNode set) => set.Number("spec", "replicas") ?? 1;

    private static int RevisionOf(JsonObject set) =>
        int.TryParse(set.Text("metadata", "annotations", Revision), CultureInfo.InvariantCulture, out var revision) ? revision : 0;

    /// <summary>Recreate: not before the last old pod's processes have ended.</summary>
    private bool AllGone(List<JsonObject> old)
    {
        foreach (var set in old.Where(set => Replicas(set) > 0))
        {
            Resize(set, 0);
        }

        return old.All(set => !Store.List(Kinds.Pods, set.Namespace()).Items.Any(pod => pod.IsControlledBy(set)));
    }

    private JsonObject CreateSet(JsonObject deployment, string hash, List<JsonObject> sets)
    {
        var template = deployment.At("spec", "template")!.DeepClone().AsObject();
        template.Ensure("metadata").Ensure("labels")[HashLabel] = hash;
        var selector = deployment.At("spec", "selector")?.DeepClone().AsObject() ?? [];
        selector.Ensure("matchLabels")[HashLabel] = hash;
        var annotations = deployment.At("metadata", "annotations")?.DeepClone().AsObject() ?? [];
        annotations.Remove("kubectl.kubernetes.io/last-applied-configuration");
        annotations[Revision] = (sets.Select(RevisionOf).DefaultIfEmpty().Max() + 1).ToString(CultureInfo.InvariantCulture);
        return Store.Create(Kinds.ReplicaSets, new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ReplicaSet",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{deployment.Name()}-{hash}",
                ["namespace"] = deployment.Namespace(),
                ["labels"] = template["metadata"]!["labels"]!.DeepClone(),
                ["annotations"] = annotations,
                ["ownerReferences"] = new JsonArray(OwnerReference.To(deployment, "apps/v1", "Deployment")),
            },
            ["spec"] = new JsonObject { ["replicas"] = 0, ["selector"] = selector, ["template"] = template },
        });
    }

    /// <summary>A set that is used again after a rollback becomes the newest revision.</summary>
    private JsonObject Promote(JsonObject current, List<JsonObject> old)
    {
        var newest = old.Select(RevisionOf).DefaultIfEmpty().Max();
        return RevisionOf(current) > newest
            ? current
            : Store.Modify(Kinds.ReplicaSets, current.Namespace(), current.Name(), found =>
            {
                found.Ensure("metadata").Ensure("annotations")[Revision] = (newest + 1).ToString(CultureInfo.InvariantCulture);
                return true;
            });
    }

    private void Scale(JsonObject deployment, JsonObject? current, List<JsonObject> old)
    {
        var wanted = Replicas(deployment);
        if (current is null)
        {
            return;
        }

        if (deployment.Text("spec", "strategy", "type") == "Recreate")
        {
            if (AllGone(old))
            {
                Resize(current, wanted);
            }

            return;
        }

        var surge = Rollout.Absolute(deployment.IntOrText("spec", "strategy", "rollingUpdate", "maxSurge"), wanted, roundUp: true, "25%");
        var unavailable = Rollout.Absolute(deployment.IntOrText("spec", "strategy", "rollingUpdate", "maxUnavailable"), wanted, roundUp: false, "25%");
        static RolloutSet Size(JsonObject set) => new(set.Name(), Replicas(set), set.Number("status", "availableReplicas") ?? 0);
        var sizes = Rollout.Next(wanted, surge, unavailable, Size(current), [.. old.OrderBy(RevisionOf).Select(Size)]);
        foreach (var set in old.Append(current))
        {
            if (sizes.TryGetValue(set.Name(), out var size))
            {
                Resize(set, size);
            }
        }
    }

    private void Resize(JsonObject set, int size) => Store.Modify(Kinds.ReplicaSets, set.Namespace(), set.Name(), found =>
    {
        found.Ensure("spec")["replicas"] = size;
        return Replicas(set) != size;
    });

    private void Trim(JsonObject deployment, List<JsonObject> old)
    {
        var unused = old.Where(set => Replicas(set) == 0 && (set.Number("status", "replicas") ?? 0) == 0).OrderByDescending(RevisionOf);
        foreach (var set in unused.Skip(deployment.Number("spec", "revisionHistoryLimit") ?? 10))
        {
            Store.Delete(Kinds.ReplicaSets, set.Namespace(), set.Name());
        }
    }

    private void Report(ObjectKey key, JsonObject seen)
    {
        var sets = Store.List(Kinds.ReplicaSets, key.Namespace).Items.Where(set => set.IsControlledBy(seen)).ToArray();
        var hash = PodTemplates.Hash(seen.At("spec", "template"));
        var current = sets.FirstOrDefault(set => set.Text("metadata", "labels", HashLabel) == hash);
        int Sum(string field) => sets.Sum(set => set.Number("status", field) ?? 0);
        var wanted = Replicas(seen);
        var updated = current.Number("status", "replicas") ?? 0;
        var (total, available) = (Sum("replicas"), Sum("availableReplicas"));
        var unavailable = Rollout.Absolute(seen.IntOrText("spec", "strategy", "rollingUpdate", "maxUnavailable"), wanted, roundUp: false, "25%");
        var complete = updated == wanted && total == wanted && available >= wanted;
        Store.Modify(Kinds.Deployments, key.Namespace, key.Name, found =>
        {
            if (current is not null)
            {
                found.Ensure("metadata").Ensure("annotations")[Revision] = RevisionOf(current).ToString(CultureInfo.InvariantCulture);
            }

            var status = found.Ensure("status");
            status["replicas"] = total;
            status["updatedReplicas"] = updated;
            status["readyReplicas"] = Sum("readyReplicas");
            status["availableReplicas"] = available;
            status["unavailableReplicas"] = Math.Max(0, wanted - available);
            status["observedGeneration"] = seen.Number("metadata", "generation") ?? 1;
            var enough = available >= wanted - unavailable;
            Conditions.Set(status, "Available", enough, enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", Time.Timestamp());
            Conditions.Set(status, "Progressing", true, complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                $"ReplicaSet \"{current?.Name()}\" {(complete ? "has successfully progressed." : "is progressing.")}", Time.Timestamp());
            return true;
        });
    }
}
