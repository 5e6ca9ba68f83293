using System.Diagnostics.CodeAnalysis;
using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Gateway.Policy;

/// <summary>The workloads whose pods can be an exit.</summary>
internal enum WorkloadKind
{
    Deployment,
    ReplicaSet,
    StatefulSet,
}

/// <summary>As flows name it: <c>namespace/kind/name</c>, lower case.</summary>
internal sealed record WorkloadKey(string Namespace, WorkloadKind Kind, string Name)
{
    public static bool TryParse(string text, [NotNullWhen(true)] out WorkloadKey? key)
    {
        key = text.Split('/') is [var ns, var kind, var name] && Subjects.IsLabel(ns) && KindOf(kind) is { } known && IsName(name)
            ? new WorkloadKey(ns, known, name)
            : null;
        return key is not null;
    }

    /// <summary>By any of the names that kubectl takes; null for others.</summary>
    public static WorkloadKind? KindOf(string text) => text switch
    {
        "deployment" or "deployments" or "deploy" => WorkloadKind.Deployment,
        "replicaset" or "replicasets" or "rs" => WorkloadKind.ReplicaSet,
        "statefulset" or "statefulsets" or "sts" => WorkloadKind.StatefulSet,
        _ => null,
    };

    /// <summary>A DNS subdomain (RFC 1123), as workloads are named.</summary>
    public static bool IsName(string text) => text.Length is > 0 and <= 253 && text.Split('.').All(Subjects.IsLabel);

    public override string ToString() => $"{Namespace}/{Kind.ToString().ToLowerInvariant()}/{Name}";
}
