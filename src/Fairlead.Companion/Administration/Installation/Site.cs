using System.Text.Json.Nodes;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Looks at the place before anything is changed: whether another installation has it, and whose the namespace is.</summary>
internal static class Site
{
    private const string HelmRelease = "meta.helm.sh/release-name";
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    /// <exception cref="FairleadException">The cluster has its gateway in another namespace, or Helm installed this one.</exception>
    public static async Task RequireOursAsync(PatientCluster cluster, string ns, CancellationToken cancellationToken)
    {
        if (await cluster.AskAsync(c => c.GetAsync(Resources.Deployments, ns, ClusterObjects.Gateway, cancellationToken), cancellationToken) is { } own
            && own.Metadata.Annotations.TryGetValue(HelmRelease, out var release))
        {
            throw new FairleadException(
                ErrorCategory.Conflict, "gateway-managed-by-helm", $"The gateway in namespace {ns} was installed by Helm", $"it belongs to the release '{release}'",
                $"Change it by Helm: helm upgrade {release} CHART -n {ns}, or remove it by: helm uninstall {release} -n {ns}");
        }

        // Cluster-scoped objects say by their subject which namespace they serve; there is one installation in a cluster.
        var binding = await cluster.AskAsync(c => c.GetAsync(Resources.ClusterRoleBindings, null, ClusterObjects.Gateway, cancellationToken), cancellationToken);
        if (binding?.Subjects.Select(s => s.Namespace).FirstOrDefault(n => n is not null && n != ns) is not { } other)
        {
            return;
        }

        if (await cluster.AskAsync(c => c.GetAsync(Resources.Deployments, other, ClusterObjects.Gateway, cancellationToken), cancellationToken) is not null)
        {
            throw new FairleadException(
                ErrorCategory.Conflict, "gateway-elsewhere", $"The cluster has its gateway in namespace {other}", $"there can be one in a cluster, and this asks for namespace {ns}",
                $"Work with that one: add -n {other}; or remove it first: fairlead gateway uninstall -n {other}");
        }

        cluster.Progress.Report($"taking over what an installation in namespace {other} left behind");
    }

    /// <summary>Waits for a namespace that is being deleted to be gone.</summary>
    /// <returns>Whether the namespace is this installation's own: it made it, or will.</returns>
    /// <exception cref="FairleadException">It does not end.</exception>
    public static async Task<bool> AwaitNamespaceAsync(PatientCluster cluster, string ns, TimeSpan patience, CancellationToken cancellationToken)
    {
        var began = cluster.Time.GetTimestamp();
        while (true)
        {
            var found = await cluster.AskAsync(c => c.GetAsync(Resources.Namespaces, null, ns, cancellationToken), cancellationToken);
            if (found is null)
            {
                return true;
            }

            if (found.Status?.Phase != "Terminating" && found.Metadata.DeletionTimestamp is null)
            {
                return found.Metadata.Labels.GetValueOrDefault(ClusterObjects.ManagedByLabel) == "fairlead";
            }

            cluster.Progress.Report($"waiting for the namespace {ns} to end, which is being deleted");
            if (cluster.Time.GetElapsedTime(began) > patience)
            {
                throw await StuckAsync(cluster, ns, cancellationToken);
            }

            await Task.Delay(PollInterval, cluster.Time, cancellationToken);
        }
    }

    /// <summary>What keeps a namespace from ending, in the cluster's words.</summary>
    public static async Task<FairleadException> StuckAsync(PatientCluster cluster, string ns, CancellationToken cancellationToken)
    {
        var reference = new ObjectReference("v1", "Namespace", null, ns).ToJson();
        var found = await cluster.AskAsync(c => c.GetAsync(reference, cancellationToken), cancellationToken);
        var reasons = (found?["status"]?["conditions"] as JsonArray ?? []).Where(c => c?["status"]?.GetValue<string>() == "True").Select(c => c?["message"]?.GetValue<string>()).OfType<string>().ToList();
        return new FairleadException(
            ErrorCategory.TimedOut, "namespace-terminating", $"The namespace {ns} is being deleted and does not end",
            reasons.Count > 0 ? string.Join("; ", reasons) : "something in it has a finalizer that nobody removes",
            $"Look at 'kubectl get namespace {ns} -o yaml'; what it names has to be removed, then run this again.");
    }
}
