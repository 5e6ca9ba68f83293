using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>What a node knows of a pod's containers.</summary>
internal sealed record PodView(
    string? PodAddress, string NodeAddress, string StartTime, bool Initialized,
    IReadOnlyList<ContainerStatus> Init, IReadOnlyList<ContainerStatus> Regular, IReadOnlyList<ContainerStatus> Ephemeral);

/// <summary>A pod's status as a kubelet computes it; pure.</summary>
internal static class PodStatus
{
    internal static string Phase(JsonObject pod, PodView view)
    {
        var policy = pod.Text("spec", "restartPolicy") ?? "Always";
        if (view.Init.Any(c => c.IsDone && !c.Succeeded) && policy == "Never")
        {
            return "Failed";
        }

        if (!view.Initialized || view.Regular.Any(c => c.State is { Phase: ContainerPhase.Waiting } && c.Last is null))
        {
            return "Pending";
        }

        if (view.Regular.All(c => c.IsDone) && (policy != "Always" || pod.IsBeingDeleted()))
        {
            return view.Regular.All(c => c.Succeeded) ? "Succeeded" : policy == "Never" || pod.IsBeingDeleted() ? "Failed" : "Running";
        }

        return "Running";
    }

    /// <summary>Writes the status into <paramref name="pod"/>; false when nothing changed.</summary>
    internal static bool Write(JsonObject pod, PodView view, string now)
    {
        var status = pod.Ensure("status");
        var before = status.DeepClone();
        var phase = Phase(pod, view);
        status["phase"] = phase;
        status["hostIP"] = view.NodeAddress;
        status["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = view.NodeAddress });
        status["startTime"] = view.StartTime;
        status["qosClass"] = "BestEffort";
        if (view.PodAddress is not null)
        {
            status["podIP"] = view.PodAddress;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = view.PodAddress });
        }

        Put(status, "initContainerStatuses", view.Init);
        Put(status, "containerStatuses", view.Regular);
        Put(status, "ephemeralContainerStatuses", view.Ephemeral);

        var unready = view.Regular.Where(c => !c.Ready).Select(c => c.Name).ToArray();
        var ready = phase == "Running" && unready.Length == 0;
        var (reason, message) = ready ? (null, null)
            : phase == "Succeeded" ? ("PodCompleted", null)
            : ("ContainersNotReady", $"containers with unready status: [{string.Join(' ', unready)}]");
        Conditions.Set(status, "PodScheduled", true, null, null, now);
        Conditions.Set(status, "Initialized", view.Initialized, view.Initialized ? null : "ContainersNotInitialized", null, now);
        Conditions.Set(status, "ContainersReady", ready, reason, message, now);
        Conditions.Set(status, "Ready", ready, reason, message, now);
        return !JsonNode.DeepEquals(before, status);
    }

    private static void Put(JsonObject status, string name, IReadOnlyList<ContainerStatus> containers)
    {
        if (containers.Count > 0)
        {
            status[name] = new JsonArray([.. containers.Select(c => c.Render())]);
        }
    }
}
