using System.Text;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Something that keeps a gateway from being ready.</summary>
/// <param name="Text">For people; may have several lines.</param>
/// <param name="Hint">What to do about it.</param>
/// <param name="Hopeless">It does not pass by waiting.</param>
internal sealed record Problem(string Text, string? Hint = null, bool Hopeless = false);

/// <summary>Says what is wrong with the gateway's pods, from what the cluster tells of them.</summary>
internal static class Diagnosis
{
    private const int LogLines = 5;
    private const int MaxLog = 4096;

    /// <summary>A start that failed once may have met something that passes; one that failed this often has not.</summary>
    private const int MaxRestarts = 2;

    public static async Task<IReadOnlyList<Problem>> FindAsync(KubernetesClient client, string ns, Deployment deployment, IReadOnlyList<Pod> pods, CancellationToken cancellationToken)
    {
        var problems = new List<Problem>();
        foreach (var condition in deployment.Status?.Conditions ?? [])
        {
            if (condition is { Type: "ReplicaFailure", Status: "True" })
            {
                problems.Add(new Problem($"the cluster refuses pods: {condition.Message ?? condition.Reason}", $"Look at 'kubectl -n {ns} describe deployment {ClusterObjects.Gateway}': a quota or a policy is in the way.", Hopeless: true));
            }
        }

        foreach (var pod in pods.Where(p => p.Metadata.DeletionTimestamp is null))
        {
            if (await OfPodAsync(client, ns, pod, cancellationToken) is { } problem)
            {
                problems.Add(problem);
            }
        }

        return problems;
    }

    private static async Task<Problem?> OfPodAsync(KubernetesClient client, string ns, Pod pod, CancellationToken cancellationToken)
    {
        var name = pod.Metadata.Name!;
        if (pod.Status?.Conditions.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" }) is { } unplaced)
        {
            return new Problem($"pod {name} finds no node: {unplaced.Message ?? unplaced.Reason}", "Make room, or change nodeSelector, tolerations, affinity or resources by --set.");
        }

        if (pod.Status?.ContainerStatuses is not [{ Ready: false } container, ..])
        {
            return null;
        }

        switch (container.State.Waiting)
        {
            case { Reason: "ErrImagePull" or "ImagePullBackOff" or "InvalidImageName" or "ErrImageNeverPull" } waiting:
                return new Problem(
                    $"pod {name} can't have its image {container.Image}: {waiting.Reason}{Colon(waiting.Message)}",
                    "Name another by --set image.repository=NAME,image.tag=TAG, and what a private registry needs by --set image.pullSecrets={SECRET}.",
                    Hopeless: true);
            case { Reason: "CreateContainerConfigError" or "CreateContainerError" or "RunContainerError" } waiting:
                return new Problem($"pod {name} can't start its container: {waiting.Reason}{Colon(waiting.Message)}", $"Look at 'kubectl -n {ns} describe pod {name}'.", Hopeless: true);
        }

        var ended = container.State.Terminated ?? container.LastState.Terminated;
        return ended is not null && container.RestartCount > 0
            ? new Problem(
                $"pod {name} ends again and again (exit code {ended.ExitCode}{(ended.Reason is { } reason ? $", {reason}" : "")}, restarted {container.RestartCount} times){await LastLinesAsync(client, ns, name, cancellationToken)}",
                $"Look at 'kubectl -n {ns} logs {name} --previous'.",
                Hopeless: container.RestartCount >= MaxRestarts)
            : container.State.Running is not null ? new Problem($"pod {name} runs and is not ready yet")
            : container.State.Waiting is { } other ? new Problem($"pod {name}: {other.Reason}{Colon(other.Message)}")
            : null;
    }

    /// <summary>Of the run before the last restart; nothing when it is no longer to be had, or may not be read.</summary>
    private static async Task<string> LastLinesAsync(KubernetesClient client, string ns, string pod, CancellationToken cancellationToken)
    {
        try
        {
            await using var log = await client.ReadLogAsync(ns, pod, new LogOptions(Previous: true, TailLines: LogLines), cancellationToken);
            var buffer = new byte[MaxLog];
            var length = await log.ReadAtLeastAsync(buffer, MaxLog, throwOnEndOfStream: false, cancellationToken);
            var lines = string.Concat(Encoding.UTF8.GetString(buffer, 0, length).Where(c => c == '\n' || !char.IsControl(c))).Trim();
            return lines.Length == 0 ? "" : $"; it said last:\n{lines}";
        }
        catch (Exception e) when (e is KubernetesException or IOException)
        {
            return $"; its log can't be read ({e.Message})";
        }
    }

    private static string Colon(string? message) => string.IsNullOrEmpty(message) ? "" : $": {message}";
}
