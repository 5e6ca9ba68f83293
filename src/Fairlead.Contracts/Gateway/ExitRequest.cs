namespace Fairlead.Contracts.Gateway;

/// <summary>Asks whether flows may leave from a pod of a workload (<c>--proxy-via CIDR=WORKLOAD</c>). Nothing is changed by asking.</summary>
/// <param name="Namespace">Of the workload.</param>
/// <param name="Workload"><c>kind/name</c>, the kind one of <c>deployment</c>, <c>replicaset</c>, <c>statefulset</c>; or the name alone.</param>
public sealed record ExitRequest(string Namespace, string Workload);

/// <param name="Via">What a flow names the workload by: <c>namespace/kind/name</c>, lower case.</param>
public sealed record ExitResponse(string Via);
