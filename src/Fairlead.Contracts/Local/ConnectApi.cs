using Fairlead.Contracts.Errors;

namespace Fairlead.Contracts.Local;

/// <summary>What <c>connect</c> is asked for. Lists add to the options (<see cref="Gateway.ClientSettingKeys"/>), and win over them where they contradict.</summary>
/// <param name="Namespace">Whose services have bare names while connected; null: the space's primary namespace.</param>
/// <param name="MappedNamespaces">Only names of these namespaces resolve; empty: of all that are granted.</param>
/// <param name="AlsoProxy">CIDRs routed into the cluster besides its own.</param>
/// <param name="NeverProxy">CIDRs that are never routed into it.</param>
/// <param name="AllowConflicting">CIDRs of the cluster that win over this host's own routes.</param>
/// <param name="Vnat">CIDRs, or <c>also</c>, <c>service</c>, <c>pods</c>, <c>all</c>: reached by virtual addresses, conflict or not.</param>
public sealed record ConnectRequest(
    string? Namespace = null,
    IReadOnlyList<string>? MappedNamespaces = null,
    IReadOnlyList<string>? AlsoProxy = null,
    IReadOnlyList<string>? NeverProxy = null,
    IReadOnlyList<string>? AllowConflicting = null,
    IReadOnlyList<ProxyVia>? ProxyVia = null,
    IReadOnlyList<string>? Vnat = null);

/// <summary>Traffic to a subnet leaves the cluster's side from a pod of a workload, and is reached by virtual addresses.</summary>
/// <param name="Subnet">A CIDR, or <c>also</c>, <c>service</c>, <c>pods</c>, <c>all</c>.</param>
/// <param name="Workload"><c>name</c>, <c>kind/name</c> or <c>namespace/kind/name</c>; Deployment, ReplicaSet or StatefulSet.</param>
public sealed record ProxyVia(string Subnet, string Workload);

/// <summary>A connection, or that there is none.</summary>
/// <param name="Device">The virtual interface; null while there is none.</param>
/// <param name="Since">Of the connection.</param>
/// <param name="Problem">What keeps it from working as planned; null when all is well.</param>
public sealed record ConnectState(bool Connected, string? Space, string? Device, DateTimeOffset? Since, PlanState? Plan, ErrorInfo? Problem);

/// <summary>What is routed, remapped and left alone, or would be.</summary>
/// <param name="InForce">False: nothing is connected, this is what a connect would do now.</param>
/// <param name="Cause">What made it be computed anew, such as <c>route 10.0.0.0/8 dev tun0 came</c>.</param>
/// <param name="Refusal">Why a connect would be refused, or why the change that <paramref name="Cause"/> names could not be followed.</param>
/// <param name="Virtual">The pool of addresses that stand for others.</param>
public sealed record PlanState(
    string Space,
    bool InForce,
    DateTimeOffset At,
    string Cause,
    IReadOnlyList<PlanEntry> Entries,
    IReadOnlyList<string> Warnings,
    ErrorInfo? Refusal,
    string? Virtual);

public enum PlanAction
{
    /// <summary>Goes to the cluster by its own addresses.</summary>
    Routed,

    /// <summary>Goes to the cluster, and is reached by other addresses (<see cref="PlanEntry.As"/>).</summary>
    Virtual,

    /// <summary>Keeps the way that it has without us.</summary>
    Never,

    /// <summary>Conflicts, and nothing resolves it.</summary>
    Refused,

    /// <summary>Can't be had here, such as IPv6 on a host without it.</summary>
    LeftOut,
}

/// <summary>What becomes of one prefix.</summary>
/// <param name="Owner">Whose device traffic to it takes: ours, or as <c>ip route</c> says it.</param>
/// <param name="As">The virtual subnet that stands for it.</param>
/// <param name="Via">The workload whose pod it leaves from.</param>
/// <param name="Reason">For people: where it comes from, and why this was decided.</param>
/// <param name="Conflict">The host's route that it overlaps, as <c>10.0.0.0/8 via 10.0.0.1 dev tun0</c>.</param>
public sealed record PlanEntry(string Prefix, PlanAction Action, string Owner, string? As, string? Via, string Reason, string? Conflict);
