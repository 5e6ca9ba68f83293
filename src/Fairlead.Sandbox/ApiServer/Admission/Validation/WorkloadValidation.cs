using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Selectors;

namespace Fairlead.Sandbox.ApiServer.Admission.Validation;

internal static class WorkloadValidation
{
    private static readonly string[] DeploymentStrategies = ["Recreate", "RollingUpdate"];
    private static readonly string[] StatefulSetStrategies = ["OnDelete", "RollingUpdate"];
    private static readonly string[] MutableOfStatefulSets =
        ["replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds", "revisionHistoryLimit"];

    public static void Deployment(ObjectValidation deployment)
    {
        Workload(deployment);
        if (deployment.Value.Text("spec", "strategy", "type") is { } strategy && !DeploymentStrategies.Contains(strategy))
        {
            deployment.Errors.Unsupported("spec.strategy.type", strategy, DeploymentStrategies);
        }
    }

    public static void StatefulSet(ObjectValidation set)
    {
        Workload(set);
        if (set.Value.Text("spec", "updateStrategy", "type") is { } strategy && !StatefulSetStrategies.Contains(strategy))
        {
            set.Errors.Unsupported("spec.updateStrategy.type", strategy, StatefulSetStrategies);
        }

        if (set.Old is { } old && !JsonNode.DeepEquals(FixedPart(set.Value), FixedPart(old)))
        {
            set.Errors.Forbidden(
                "spec",
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                    + "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
        }
    }

    public static void Workload(ObjectValidation workload)
    {
        var (value, errors) = (workload.Value, workload.Errors);
        if (value.Number("spec", "replicas") is not >= 0)
        {
            errors.Invalid("spec.replicas", value.At("spec", "replicas"), "must be greater than or equal to 0");
        }

        var template = value.Map("spec", "template") ?? [];
        var labels = template.Map("metadata", "labels");
        Names.CheckLabels(labels, "spec.template.labels", errors);
        if (value.Map("spec", "selector") is not { Count: > 0 } selector)
        {
            errors.Required("spec.selector");
        }
        else if (!LabelSelector.Of(selector).MatchesLabels(labels))
        {
            errors.Invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
        }

        workload.Immutable("field is immutable", "spec", "selector");
        // A StatefulSet's claims become volumes of its pods (docs: StatefulSet, volumeClaimTemplates).
        var claims = (value.Map("spec") ?? []).Maps("volumeClaimTemplates").Select(claim => claim.Text("metadata", "name") ?? "");
        PodValidation.Spec(template.Map("spec") ?? [], "spec.template.spec", errors, claims);
        if (template.Text("spec", "restartPolicy") is { } policy and not "Always")
        {
            errors.Unsupported("spec.template.spec.restartPolicy", policy, ["Always"]);
        }
    }

    private static JsonObject FixedPart(JsonObject set)
    {
        var spec = (set.Map("spec") ?? []).Clone();
        foreach (var field in MutableOfStatefulSets)
        {
            spec.Remove(field);
        }

        foreach (var claim in spec.Maps("volumeClaimTemplates"))
        {
            claim.Remove("status");
        }

        return spec;
    }
}
