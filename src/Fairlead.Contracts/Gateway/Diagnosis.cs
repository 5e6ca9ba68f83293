namespace Fairlead.Contracts.Gateway;

/// <summary>Asks the gateway to try connections now, for <c>fairlead doctor</c>. Only what the caller may consume is tried.</summary>
/// <param name="Targets">At most <see cref="MaxTargets"/>.</param>
public sealed record DiagnosisRequest(IReadOnlyList<DiagnosisTarget> Targets)
{
    public const int MaxTargets = 16;
}

/// <param name="Host">As of a flow: <c>service.namespace.svc</c>, <c>endpoint.service.namespace.svc</c>, or an address of the cluster.</param>
/// <param name="Port">TCP.</param>
public sealed record DiagnosisTarget(string Host, int Port);

/// <param name="GatewayNamespace">Where the gateway's pods run: what policies have to let in.</param>
/// <param name="GatewayMesh">The mesh that the gateway is part of; null when there is none.</param>
public sealed record DiagnosisResponse(string GatewayNamespace, IReadOnlyList<TargetDiagnosis> Targets, string? GatewayMesh = null);

/// <param name="Outcome">Of a connection that the gateway has just tried, and closed again without a byte.</param>
/// <param name="ReadyPods">How many of the pods behind the target the cluster finds ready.</param>
/// <param name="Reason">Why it failed; null when it didn't.</param>
/// <param name="Namespace">Of those pods; null when no service and no pod is known there.</param>
/// <param name="Mesh">The mesh that one of them is part of, such as <c>Istio</c>; null when there is none.</param>
public sealed record TargetDiagnosis(DiagnosisTarget Target, DialOutcome Outcome, int ReadyPods = 0, string? Reason = null, string? Namespace = null, string? Mesh = null);

public enum DialOutcome
{
    Connected,
    TimedOut,

    /// <summary>By the far side: nobody listens, or a firewall says so.</summary>
    Refused,

    /// <summary>The caller may not go there.</summary>
    Denied,

    /// <summary>For another reason.</summary>
    Failed,
}
