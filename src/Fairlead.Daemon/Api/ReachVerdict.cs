using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Flows;

namespace Fairlead.Daemon.Api;

/// <summary>
/// Concludes from what the gateway found and what flows met what keeps it from a service. The gateway has no right to read NetworkPolicies, nor a
/// mesh's own resources: both are told by what they do, and the hint is the command that shows them to whoever may. Pure.
/// </summary>
internal static class ReachVerdict
{
    /// <summary>One closed connection may be anything; this many without an answer in between are a habit.</summary>
    private const int ManySilent = 2;

    private const string Documentation = "docs/install.md, 'Network policies and meshes', says what to apply";

    /// <param name="troubles">By target.</param>
    public static IReadOnlyList<DoctorCheck> Judge(string space, DiagnosisResponse found, IReadOnlyDictionary<DiagnosisTarget, FlowTrouble> troubles)
    {
        var subject = $"reach of {space}";
        var judged = found.Targets.Where(t => t.Outcome != DialOutcome.Denied).Select(t => (Target: t, Check: Judge(subject, found, t, troubles.GetValueOrDefault(t.Target)))).ToList();
        var wrong = judged.Select(j => j.Check).OfType<DoctorCheck>().GroupBy(c => c.Hint).Select(Together).ToList();
        var fine = judged.Count(j => j.Check is null);
        return fine == 0 ? wrong : [new DoctorCheck(subject, CheckResult.Ok, $"The gateway reaches {fine} of the {judged.Count} services that were tried.", null), .. wrong];
    }

    /// <summary>Checks with one remedy are one check, about the first and the number of the others.</summary>
    private static DoctorCheck Together(IEnumerable<DoctorCheck> checks)
    {
        var all = checks.ToList();
        return all.Count == 1 ? all[0] : all[0] with { Message = $"{all[0].Message} It is the same with {all.Count - 1} more." };
    }

    private static DoctorCheck? Judge(string subject, DiagnosisResponse found, TargetDiagnosis target, FlowTrouble? trouble)
    {
        var name = $"{target.Target.Host}:{target.Target.Port}";
        var (ns, gateway) = (target.Namespace, found.GatewayNamespace);
        return target switch
        {
            { Outcome: DialOutcome.TimedOut, ReadyPods: > 0, Namespace: not null } => new DoctorCheck(
                subject, CheckResult.Failed,
                $"{name} does not answer the gateway, though the cluster finds {target.ReadyPods} of its pods ready: most likely a NetworkPolicy of namespace {ns} lets nothing in from namespace {gateway}, or one of {gateway} lets nothing out.",
                $"kubectl get networkpolicies -n {ns}; kubectl get networkpolicies -n {gateway} ({Documentation})"),
            { Outcome: DialOutcome.Connected } when trouble is { Silent: >= ManySilent } && target.Mesh is { } mesh && found.GatewayMesh is null => new DoctorCheck(
                subject, CheckResult.Failed,
                $"{name} takes connections and closes them before a byte comes back ({trouble.Silent} lately). Its pods are part of the mesh {mesh} and the gateway is not: most likely the mesh takes nothing but its own mutual TLS (strict mTLS).",
                $"{ShowMesh(mesh, ns!)} ({Documentation})"),
            { Outcome: DialOutcome.Connected } when trouble is { Silent: >= ManySilent } => new DoctorCheck(
                subject, CheckResult.Warning,
                $"{name} takes connections and closes them before a byte comes back ({trouble.Silent} lately): it may expect TLS or another protocol at that port.",
                $"kubectl describe services -n {ns}"),
            { Outcome: DialOutcome.Connected } => null,
            { ReadyPods: 0, Namespace: not null } => new DoctorCheck(subject, CheckResult.Failed, $"{name} has no pod that is ready.", $"kubectl get pods -n {ns}"),
            { Outcome: DialOutcome.Refused } => new DoctorCheck(
                subject, CheckResult.Failed, $"{name} refuses connections: nothing listens at the Service's target port in its pods, or a firewall refuses.", $"kubectl get endpointslices -n {ns ?? "NAMESPACE"}"),
            _ => new DoctorCheck(subject, CheckResult.Failed, $"{name} can't be reached by the gateway: {target.Reason}.", "fairlead services list"),
        };
    }

    private static string ShowMesh(string mesh, string ns) => mesh switch
    {
        "Istio" => $"kubectl get peerauthentications -A; kubectl get destinationrules -n {ns}",
        "Linkerd" => $"kubectl get servers.policy.linkerd.io,authorizationpolicies.policy.linkerd.io -n {ns}",
        _ => $"kubectl get pods -n {ns} -o wide",
    };
}
