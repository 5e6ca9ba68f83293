using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Waits until every gateway is new and ready and the space is published, and says what is in the way.</summary>
internal sealed class Readiness(PatientCluster cluster, string ns)
{
    /// <summary>A start takes a second or two; what takes longer has a reason that the person wants to see.</summary>
    private static readonly TimeSpan PatienceWithoutReason = TimeSpan.FromSeconds(5);

    /// <summary>What does not pass by waiting is waited for no longer than this: a registry, say, may just have had a bad moment.</summary>
    private static readonly TimeSpan PatienceWithHopeless = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <exception cref="FairleadException">It did not become ready, and why.</exception>
    public async Task WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var began = cluster.Time.GetTimestamp();
        long? hopelessSince = null;
        while (true)
        {
            var (state, problems) = await cluster.AskAsync(c => LookAsync(c, cluster.Time.GetElapsedTime(began) > PatienceWithoutReason, cancellationToken), cancellationToken);
            if (state is null)
            {
                cluster.Progress.Report("the gateway is ready");
                return;
            }

            cluster.Progress.Report(problems.Count > 0 ? $"{state}: {string.Join("; ", problems.Select(p => p.Text.Split('\n')[0]))}" : state);
            hopelessSince = problems.Any(p => p.Hopeless) ? hopelessSince ?? cluster.Time.GetTimestamp() : null;
            var timedOut = cluster.Time.GetElapsedTime(began) > patience;
            if (timedOut || (hopelessSince is { } since && cluster.Time.GetElapsedTime(since) > PatienceWithHopeless))
            {
                throw new FairleadException(
                    timedOut ? ErrorCategory.TimedOut : ErrorCategory.Failed,
                    "gateway-not-ready",
                    timedOut ? $"The gateway did not become ready within {patience.TotalSeconds:0} s" : "The gateway can't become ready like this",
                    problems.Count > 0 ? string.Join("\n", problems.Select(p => p.Text)) : state,
                    problems.Select(p => p.Hint).FirstOrDefault(h => h is not null) ?? $"Look at 'kubectl -n {ns} describe pods' and 'kubectl -n {ns} logs deployment/{ClusterObjects.Gateway}'; then run this again.");
            }

            await Task.Delay(PollInterval, cluster.Time, cancellationToken);
        }
    }

    /// <returns>How far it is, or null when it is ready.</returns>
    private async Task<(string? State, IReadOnlyList<Problem> Problems)> LookAsync(KubernetesClient client, bool withReasons, CancellationToken cancellationToken)
    {
        var deployment = await client.GetAsync(Resources.Deployments, ns, ClusterObjects.Gateway, cancellationToken)
            ?? throw new FairleadException(ErrorCategory.Failed, "gateway-deleted", "The gateway was deleted while it was installed", "somebody else removed its Deployment", "Run 'fairlead gateway install' again.");
        var state = Rollout(deployment);
        if (state is null)
        {
            var space = await client.GetAsync(Resources.ConfigMaps, ns, ClusterObjects.SpaceConfigMap, cancellationToken);
            state = Inspection.EndpointsOf(space, ns).Count > 0 ? null : "waiting for the gateway to publish where it is reached";
        }

        return state is null || !withReasons ? (state, []) : (state, await Diagnosis.FindAsync(client, ns, deployment, await Inspection.PodsAsync(client, ns, cancellationToken), cancellationToken));
    }

    /// <summary>As kubectl rollout status judges a Deployment; null when it is done.</summary>
    private static string? Rollout(Deployment deployment)
    {
        var wanted = deployment.Spec.Replicas ?? 1;
        if (deployment.Status is not { } status || (status.ObservedGeneration ?? 0) < (deployment.Metadata.Generation ?? 0))
        {
            return "waiting for the cluster to take up the Deployment";
        }

        var updated = status.UpdatedReplicas ?? 0;
        return updated < wanted ? $"{updated} of {wanted} gateways are new"
            : status.Replicas > updated ? $"{status.Replicas - updated} old gateways are ending"
            : (status.AvailableReplicas ?? 0) < wanted ? $"{status.AvailableReplicas ?? 0} of {wanted} gateways are ready"
            : null;
    }
}
