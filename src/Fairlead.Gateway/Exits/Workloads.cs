using Fairlead.Contracts.Errors;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Gateway.Exits;

/// <summary>Looks workloads and their pods up in the cluster.</summary>
/// <param name="namespaces">Where the gateway may look, and place agents.</param>
internal sealed class Workloads(KubernetesClient client, IReadOnlyCollection<string> namespaces)
{
    private static readonly WorkloadKind[] Kinds = [WorkloadKind.Deployment, WorkloadKind.StatefulSet, WorkloadKind.ReplicaSet];

    /// <summary>What somebody means by a workload: <c>kind/name</c>, or a bare name, which is looked for among the kinds in turn.</summary>
    /// <param name="mayUse">Why it may not be used, or null: asked before the cluster is, so that nobody learns what exists.</param>
    /// <exception cref="FairleadException">There is no such workload, or it may not be used.</exception>
    public async Task<WorkloadKey> ResolveAsync(string ns, string workload, Func<WorkloadKey, string?> mayUse, CancellationToken cancellationToken)
    {
        var parts = workload.Split('/');
        var kinds = parts switch
        {
            [var name] when WorkloadKey.IsName(name) => Kinds,
            [var kind, var name] when WorkloadKey.IsName(name) && WorkloadKey.KindOf(kind.ToLowerInvariant()) is { } known => [known],
            _ => throw new FairleadException(
                ErrorCategory.Usage, "workload-invalid", $"'{workload}' is no workload", "it is NAME or KIND/NAME, the kind being deployment, replicaset or statefulset"),
        };
        if (mayUse(new WorkloadKey(ns, kinds[0], parts[^1])) is { } denied)
        {
            throw new FairleadException(ErrorCategory.Denied, "exit-denied", $"Flows may not leave from {workload} of namespace {ns}", denied, "Ask an administrator of the space for a grant with the verb attach.");
        }

        CheckNamespace(ns);
        foreach (var kind in kinds)
        {
            var key = new WorkloadKey(ns, kind, parts[^1]);
            if (await SelectorAsync(key, cancellationToken) is not null)
            {
                return key;
            }
        }

        throw Unknown($"{ns}/{workload}");
    }

    /// <summary>The pods of a workload that can be an exit: ready, with a network of their own, and not of the node itself.</summary>
    /// <exception cref="FairleadException">There is no such workload, or none of its pods can.</exception>
    public async Task<IReadOnlyList<ExitPod>> PodsOfAsync(WorkloadKey workload, CancellationToken cancellationToken)
    {
        CheckNamespace(workload.Namespace);
        var selector = await SelectorAsync(workload, cancellationToken) ?? throw Unknown(workload.ToString());
        var pods = await client.ListAsync(Resources.Pods, workload.Namespace, labelSelector: selector, cancellationToken: cancellationToken);
        var own = pods.Items.Where(p => IsOf(p, workload)).ToList();
        var usable = own.Where(p => WhyNot(p) is null).Select(p => new ExitPod(workload.Namespace, p.Metadata.Name!, p.Metadata.Uid!, Mapping.Map(p, "").Addresses)).ToList();
        return usable.Count > 0 ? usable : throw Impossible(workload, own.Count == 0 ? "it has no pods" : WhyNot(own[0])!);
    }

    /// <summary>Why a pod can't be an exit, or null.</summary>
    internal static string? WhyNot(Pod pod) => pod switch
    {
        { Spec.HostNetwork: true } => $"pod {pod.Metadata.Name} has the network of its node (hostNetwork)",
        _ when pod.Metadata.Annotations.ContainsKey("kubernetes.io/config.mirror") => $"pod {pod.Metadata.Name} is a static pod, which takes no further container",
        { Metadata.DeletionTimestamp: not null } => $"pod {pod.Metadata.Name} is being deleted",
        _ when pod.Status?.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) != true => $"pod {pod.Metadata.Name} is not ready",
        _ => null,
    };

    /// <summary>Labels may overlap: what counts is who made the pod. A Deployment's are made by its ReplicaSets, which have its name and a suffix.</summary>
    internal static bool IsOf(Pod pod, WorkloadKey workload) => pod.Metadata.OwnerReferences.Any(o => o.Controller == true && workload.Kind switch
    {
        WorkloadKind.Deployment => o.Kind == nameof(ReplicaSet) && o.Name.StartsWith(workload.Name + "-", StringComparison.Ordinal),
        _ => o.Kind == workload.Kind.ToString() && o.Name == workload.Name,
    });

    /// <summary>In the API's syntax.</summary>
    internal static string Text(LabelSelector selector) => string.Join(',',
    [
        .. selector.MatchLabels.Select(l => $"{l.Key}={l.Value}"),
        .. selector.MatchExpressions.Select(e => e.Operator switch
        {
            "In" => $"{e.Key} in ({string.Join(',', e.Values)})",
            "NotIn" => $"{e.Key} notin ({string.Join(',', e.Values)})",
            "Exists" => e.Key,
            _ => "!" + e.Key,
        }),
    ]);

    private void CheckNamespace(string ns)
    {
        if (!namespaces.Contains(ns))
        {
            throw new FairleadException(
                ErrorCategory.Denied,
                "exit-impossible",
                $"Flows can't leave from a workload of namespace {ns}",
                "the gateway has no right to place its agent there",
                $"Ask an administrator of the space to list it: fairlead gateway upgrade --set 'agents.namespaces={{{ns}}}'");
        }
    }

    private async Task<string?> SelectorAsync(WorkloadKey workload, CancellationToken cancellationToken)
    {
        var selector = workload.Kind switch
        {
            WorkloadKind.Deployment => (await client.GetAsync(Resources.Deployments, workload.Namespace, workload.Name, cancellationToken))?.Spec.Selector,
            WorkloadKind.ReplicaSet => (await client.GetAsync(Resources.ReplicaSets, workload.Namespace, workload.Name, cancellationToken))?.Spec.Selector,
            _ => (await client.GetAsync(Resources.StatefulSets, workload.Namespace, workload.Name, cancellationToken))?.Spec.Selector,
        };
        return selector is null ? null : Text(selector);
    }

    private static FairleadException Unknown(string workload) => new(
        ErrorCategory.Usage, "workload-unknown", $"There is no workload {workload}", "no Deployment, StatefulSet or ReplicaSet of the cluster is called that", "Look with 'kubectl get deployments,statefulsets'.");

    private static FairleadException Impossible(WorkloadKey workload, string why) => new(
        ErrorCategory.Conflict, "exit-impossible", $"Flows can't leave from {workload}", why);
}
