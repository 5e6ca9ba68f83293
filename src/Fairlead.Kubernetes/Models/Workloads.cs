using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes.Models;

public sealed class Deployment : KubeObject
{
    public DeploymentSpec Spec { get; set => field = value ?? new(); } = new();

    public WorkloadStatus? Status { get; set; }
}

public sealed class DeploymentSpec
{
    /// <summary>Null means 1.</summary>
    public int? Replicas { get; set; }

    public LabelSelector Selector { get; set => field = value ?? new(); } = new();

    public PodTemplateSpec Template { get; set => field = value ?? new(); } = new();

    public JsonNode? Strategy { get; set; }

    public int? MinReadySeconds { get; set; }

    public int? RevisionHistoryLimit { get; set; }

    public bool? Paused { get; set; }

    public int? ProgressDeadlineSeconds { get; set; }
}

public sealed class ReplicaSet : KubeObject
{
    public ReplicaSetSpec Spec { get; set => field = value ?? new(); } = new();

    public WorkloadStatus? Status { get; set; }
}

public sealed class ReplicaSetSpec
{
    public int? Replicas { get; set; }

    public int? MinReadySeconds { get; set; }

    public LabelSelector Selector { get; set => field = value ?? new(); } = new();

    public PodTemplateSpec Template { get; set => field = value ?? new(); } = new();
}

public sealed class StatefulSet : KubeObject
{
    public StatefulSetSpec Spec { get; set => field = value ?? new(); } = new();

    public WorkloadStatus? Status { get; set; }
}

public sealed class StatefulSetSpec
{
    public int? Replicas { get; set; }

    public string? ServiceName { get; set; }

    /// <summary><c>OrderedReady</c> (also when null) or <c>Parallel</c>.</summary>
    public string? PodManagementPolicy { get; set; }

    public LabelSelector Selector { get; set => field = value ?? new(); } = new();

    public PodTemplateSpec Template { get; set => field = value ?? new(); } = new();

    public IReadOnlyList<JsonNode> VolumeClaimTemplates { get; set => field = value ?? []; } = [];

    public JsonNode? UpdateStrategy { get; set; }
}

/// <summary>Status of a Deployment, ReplicaSet or StatefulSet: each sets the fields that it has.</summary>
public sealed class WorkloadStatus
{
    public long? ObservedGeneration { get; set; }

    public int Replicas { get; set; }

    public int? ReadyReplicas { get; set; }

    public int? AvailableReplicas { get; set; }

    public int? UnavailableReplicas { get; set; }

    public int? UpdatedReplicas { get; set; }

    public int? CurrentReplicas { get; set; }

    public string? CurrentRevision { get; set; }

    public string? UpdateRevision { get; set; }

    public IReadOnlyList<Condition> Conditions { get; set => field = value ?? []; } = [];
}

public sealed class Scale : KubeObject
{
    public ScaleSpec Spec { get; set => field = value ?? new(); } = new();

    public ScaleStatus? Status { get; set; }
}

public sealed class ScaleSpec
{
    public int? Replicas { get; set; }
}

public sealed class ScaleStatus
{
    public int Replicas { get; set; }

    /// <summary>Label selector of the pods, in text.</summary>
    public string? Selector { get; set; }
}
