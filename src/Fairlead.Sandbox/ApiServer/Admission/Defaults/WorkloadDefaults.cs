using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Admission.Defaults;

internal static class WorkloadDefaults
{
    public static void Deployment(JsonObject deployment)
    {
        var spec = Workload(deployment);
        spec.Default("revisionHistoryLimit", 10);
        spec.Default("progressDeadlineSeconds", 600);
        var strategy = spec.Ensure("strategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            var rolling = strategy.Ensure("rollingUpdate");
            rolling.Default("maxUnavailable", "25%");
            rolling.Default("maxSurge", "25%");
        }
    }

    public static void ReplicaSet(JsonObject replicaSet) => Workload(replicaSet);

    public static void StatefulSet(JsonObject statefulSet)
    {
        var spec = Workload(statefulSet);
        spec.Default("revisionHistoryLimit", 10);
        spec.Default("podManagementPolicy", "OrderedReady");
        var retention = spec.Ensure("persistentVolumeClaimRetentionPolicy");
        retention.Default("whenDeleted", "Retain");
        retention.Default("whenScaled", "Retain");
        var strategy = spec.Ensure("updateStrategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            strategy.Ensure("rollingUpdate").Default("partition", 0);
        }

        foreach (var claim in spec.Maps("volumeClaimTemplates"))
        {
            claim.Default("apiVersion", "v1");
            claim.Default("kind", "PersistentVolumeClaim");
            StorageDefaults.PersistentVolumeClaim(claim);
        }
    }

    private static JsonObject Workload(JsonObject workload)
    {
        var spec = workload.Ensure("spec");
        spec.Default("replicas", 1);
        PodDefaults.Template(spec.Ensure("template"));
        return spec;
    }
}
