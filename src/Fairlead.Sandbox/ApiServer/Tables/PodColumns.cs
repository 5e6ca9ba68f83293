using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

internal static class PodColumns
{
    public static readonly IReadOnlyList<TableColumn> All =
    [
        TableColumn.Text("Ready", Ready),
        TableColumn.Text("Status", Status),
        new("Restarts", "string", Restarts),
        TableColumn.Age,
        TableColumn.Text("IP", static pod => pod.Text("status", "podIP"), wide: true),
        TableColumn.Text("Node", static pod => pod.Text("spec", "nodeName"), wide: true),
        TableColumn.Text("Nominated Node", static pod => pod.Text("status", "nominatedNodeName"), wide: true),
        TableColumn.Text("Readiness Gates", static _ => null, wide: true),
    ];

    private static string Ready(JsonObject pod) =>
        $"{pod.Maps("status", "containerStatuses").Count(status => status.Flag("ready") == true)}/{pod.Maps("spec", "containers").Count()}";

    /// <summary>The most telling of: why a container waits or ended, the pod's own reason, its phase; Terminating wins over all.</summary>
    private static string Status(JsonObject pod)
    {
        var phase = pod.Text("status", "reason") ?? pod.Text("status", "phase") ?? "Unknown";
        if (InitStatus(pod) is { } init)
        {
            phase = init;
        }
        else
        {
            var running = false;
            foreach (var status in pod.Maps("status", "containerStatuses").Reverse())
            {
                phase = Reason(status) ?? phase;
                running |= status.Map("state", "running") is not null && status.Flag("ready") == true;
            }

            if (phase == "Completed" && running)
            {
                phase = Condition(pod, "Ready") ? "Running" : "NotReady";
            }
        }

        return pod.IsBeingDeleted() ? "Terminating" : phase;
    }

    private static string? InitStatus(JsonObject pod)
    {
        var statuses = pod.Maps("status", "initContainerStatuses").ToArray();
        for (var i = 0; i < statuses.Length; i++)
        {
            if (statuses[i].Number("state", "terminated", "exitCode") == 0)
            {
                continue;
            }

            return Reason(statuses[i]) is { } reason and not "PodInitializing" ? $"Init:{reason}" : $"Init:{i}/{statuses.Length}";
        }

        return null;
    }

    private static string? Reason(JsonObject status)
    {
        if (status.Text("state", "waiting", "reason") is { Length: > 0 } waiting)
        {
            return waiting;
        }

        if (status.Map("state", "terminated") is not { } ended)
        {
            return null;
        }

        return ended.Text("reason") is { Length: > 0 } reason ? reason
            : ended.Number("signal") is > 0 and var signal ? $"Signal:{signal}"
            : $"ExitCode:{ended.Number("exitCode")}";
    }

    private static bool Condition(JsonObject pod, string type) =>
        pod.Maps("status", "conditions").Any(condition => condition.Text("type") == type && condition.Text("status") == "True");

    private static JsonNode Restarts(JsonObject pod, DateTimeOffset now)
    {
        var statuses = pod.Maps("status", "containerStatuses").ToArray();
        var restarts = statuses.Sum(status => status.Number("restartCount") ?? 0);
        var last = statuses.Select(status => status.Text("lastState", "terminated", "finishedAt")).OfType<string>().Max();
        return restarts > 0 && last is not null ? $"{restarts} ({Ages.Of(last, now)} ago)" : restarts.ToString();
    }
}
