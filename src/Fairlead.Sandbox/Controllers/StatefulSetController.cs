using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Controllers;

/// <summary>StatefulSets: pods with stable names and claims of their own, made, replaced and removed in order.</summary>
internal sealed class StatefulSetController : Controller
{
    private const string RevisionLabel = "controller-revision-hash";

    internal StatefulSetController(IObjectStore store, TimeProvider time, ILogger logger)
        : base(store, time, logger)
    {
        Watch(Kinds.StatefulSets, Itself);
        Watch(Kinds.Pods, pod => Owner(pod, "StatefulSet"));
    }

    protected override void Reconcile(ObjectKey key)
    {
        if (Store.Get(Kinds.StatefulSets, key.Namespace, key.Name) is not { } set || set.IsBeingDeleted())
        {
            return;
        }

        var wanted = Math.Max(0, set.Number("spec", "replicas") ?? 1);
        var revision = $"{set.Name()}-{PodTemplates.Hash(set.At("spec", "template"))}";
        var pods = Store.List(Kinds.Pods, key.Namespace).Items.Where(pod => pod.IsControlledBy(set) && Ordinal(set, pod) is not null)
            .ToDictionary(pod => Ordinal(set, pod)!.Value);
        var parallel = set.Text("spec", "podManagementPolicy") == "Parallel";
        _ = Fill(set, pods, wanted, revision, parallel) && Shrink(key, pods, wanted, parallel) && Replace(set, pods, wanted, revision);
        Report(key, set, revision);
    }

    private static int? Ordinal(JsonObject set, JsonObject pod)
    {
        var prefix = set.Name() + "-";
        return pod.Name().StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(pod.Name().AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) ? ordinal : null;
    }

    /// <summary>True when all wanted pods are there and ready; ordered sets make one at a time.</summary>
    private bool Fill(JsonObject set, Dictionary<int, JsonObject> pods, int wanted, string revision, bool parallel)
    {
        var all = true;
        for (var ordinal = 0; ordinal < wanted; ordinal++)
        {
            if (!pods.TryGetValue(ordinal, out var pod))
            {
                Create(set, ordinal, revision);
                all = false;
            }
            else if (pod.Text("status", "phase") is "Failed" or "Succeeded" && !pod.IsBeingDeleted())
            {
                Store.Delete(Kinds.Pods, pod.Namespace(), pod.Name());
                all = false;
            }
            else if (pod.IsBeingDeleted() || !PodTemplates.IsReady(pod))
            {
                // A pod of an old revision that never got ready would block its own replacement.
                if (!pod.IsBeingDeleted() && pod.Text("metadata", "labels", RevisionLabel) != revision && Updates(set, ordinal))
                {
                    Store.Delete(Kinds.Pods, pod.Namespace(), pod.Name());
                }

                all = false;
            }

            if (!all && !parallel)
            {
                return false;
            }
        }

        return all || parallel;
    }

    private bool Shrink(ObjectKey key, Dictionary<int, JsonObject> pods, int wanted, bool parallel)
    {
        foreach (var (_, pod) in pods.Where(p => p.Key >= wanted).OrderByDescending(p => p.Key))
        {
            if (!pod.IsBeingDeleted())
            {
                Store.Delete(Kinds.Pods, key.Namespace, pod.Name());
            }

            if (!parallel)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Updates(JsonObject set, int ordinal) =>
        set.Text("spec", "updateStrategy", "type") != "OnDelete" && ordinal >= (set.Number("spec", "updateStrategy", "rollingUpdate", "partition") ?? 0);

    /// <summary>Replaces the last pod of an old revision, once all others are well.</summary>
    private bool Replace(JsonObject set, Dictionary<int, JsonObject> pods, int wanted, string revision)
    {
        for (var ordinal = wanted - 1; ordinal >= 0; ordinal--)
        {
            if (!pods.TryGetValue(ordinal, out var pod) || pod.IsBeingDeleted())
            {
                return false;
            }

            if (pod.Text("metadata", "labels", RevisionLabel) != revision && Updates(set, ordinal))
            {
                Store.Delete(Kinds.Pods, pod.Namespace(), pod.Name());
                return false;
            }

            if (!PodTemplates.IsReady(pod))
            {
                return false;
            }
        }

        return true;
    }

    private void Create(JsonObject set, int ordinal, string revision)
    {
        var name = $"{set.Name()}-{ordinal}";
        var pod = PodTemplates.Pod(
            set, "apps/v1", "StatefulSet", ("statefulset.kubernetes.io/pod-name", name),
            ("apps.kubernetes.io/pod-index", ordinal.ToString(CultureInfo.InvariantCulture)), (RevisionLabel, revision));
        pod.Ensure("metadata")["name"] = name;
        var spec = pod.Ensure("spec");
        spec["hostname"] = name;
        spec["subdomain"] = set.Text("spec", "serviceName") ?? "";
        var volumes = spec["volumes"] as JsonArray ?? [];
        spec["volumes"] = volumes;
        foreach (var template in set.Maps("spec", "volumeClaimTemplates"))
        {
            var claim = $"{template.Name()}-{name}";
            EnsureClaim(set, template, claim);
            foreach (var same in volumes.OfType<JsonObject>().Where(v => v.Text("name") == template.Name()).ToArray())
            {
                volumes.Remove(same);
            }

            volumes.Add((JsonNode)new JsonObject
            {
                ["name"] = template.Name(),
                ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = claim },
            });
        }

        Store.Create(Kinds.Pods, pod);
    }

    private void EnsureClaim(JsonObject set, JsonObject template, string name)
    {
        if (Store.Get(Kinds.PersistentVolumeClaims, set.Namespace(), name) is not null)
        {
            return;
        }

        var claim = (JsonObject)template.DeepClone();
        claim["apiVersion"] = "v1";
        claim["kind"] = "PersistentVolumeClaim";
        var metadata = claim.Ensure("metadata");
        metadata["name"] = name;
        metadata["namespace"] = set.Namespace();
        foreach (var (label, value) in set.Pairs("spec", "selector", "matchLabels"))
        {
            metadata.Ensure("labels")[label] = value;
        }

        claim.Remove("status");
        Store.Create(Kinds.PersistentVolumeClaims, claim);
    }

    private void Report(ObjectKey key, JsonObject set, string revision)
    {
        var pods = Store.List(Kinds.Pods, key.Namespace).Items.Where(pod => pod.IsControlledBy(set)).ToArray();
        var updated = pods.Count(pod => !pod.IsBeingDeleted() && pod.Text("metadata", "labels", RevisionLabel) == revision);
        var ready = pods.Count(pod => !pod.IsBeingDeleted() && PodTemplates.IsReady(pod));
        var wanted = set.Number("spec", "replicas") ?? 1;
        Store.Modify(Kinds.StatefulSets, key.Namespace, key.Name, found =>
        {
            var status = found.Ensure("status");
            var complete = updated == wanted && ready == wanted && pods.Length == wanted;
            var before = status.Text("currentRevision");
            status["observedGeneration"] = set.Number("metadata", "generation") ?? 1;
            status["replicas"] = pods.Length;
            status["readyReplicas"] = ready;
            status["availableReplicas"] = ready;
            status["updatedReplicas"] = updated;
            status["updateRevision"] = revision;
            status["currentRevision"] = complete || before is null ? revision : before;
            status["currentReplicas"] = pods.Count(pod => pod.Text("metadata", "labels", RevisionLabel) == status.Text("currentRevision"));
            return true;
        });
    }
}
