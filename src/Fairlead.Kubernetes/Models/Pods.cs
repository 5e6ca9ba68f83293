using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

public sealed class Pod : KubeObject
{
    public PodSpec Spec { get; set => field = value ?? new(); } = new();

    public PodStatus? Status { get; set; }
}

public sealed class PodTemplateSpec
{
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public PodSpec Spec { get; set => field = value ?? new(); } = new();
}

public sealed class PodSpec
{
    public IReadOnlyList<Container> InitContainers { get; set => field = value ?? []; } = [];

    public IReadOnlyList<Container> Containers { get; set => field = value ?? []; } = [];

    public IReadOnlyList<EphemeralContainer> EphemeralContainers { get; set => field = value ?? []; } = [];

    /// <summary>As the API has them: there are thirty kinds of volume.</summary>
    public IReadOnlyList<JsonNode> Volumes { get; set => field = value ?? []; } = [];

    public string? NodeName { get; set; }

    public bool? HostNetwork { get; set; }

    public string? Hostname { get; set; }

    public string? Subdomain { get; set; }

    public string? ServiceAccountName { get; set; }

    public string? RestartPolicy { get; set; }

    public long? TerminationGracePeriodSeconds { get; set; }

    public JsonNode? SecurityContext { get; set; }
}

public class Container
{
    public string Name { get; set; } = "";

    public string? Image { get; set; }

    public string? ImagePullPolicy { get; set; }

    public IReadOnlyList<string> Command { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> Args { get; set => field = value ?? []; } = [];

    public string? WorkingDir { get; set; }

    public IReadOnlyList<ContainerPort> Ports { get; set => field = value ?? []; } = [];

    public IReadOnlyList<EnvironmentVariable> Env { get; set => field = value ?? []; } = [];

    public IReadOnlyList<JsonNode> EnvFrom { get; set => field = value ?? []; } = [];

    public IReadOnlyList<VolumeMount> VolumeMounts { get; set => field = value ?? []; } = [];

    public JsonNode? Resources { get; set; }

    public JsonNode? LivenessProbe { get; set; }

    public JsonNode? ReadinessProbe { get; set; }

    public JsonNode? StartupProbe { get; set; }

    public JsonNode? Lifecycle { get; set; }

    public JsonNode? SecurityContext { get; set; }

    public bool? Stdin { get; set; }

    public bool? StdinOnce { get; set; }

    public bool? Tty { get; set; }
}

public sealed class EphemeralContainer : Container
{
    /// <summary>The container whose process namespace it joins.</summary>
    public string? TargetContainerName { get; set; }
}

public sealed class ContainerPort
{
    public string? Name { get; set; }

    [JsonPropertyName("containerPort")]
    public int Port { get; set; }

    public string? Protocol { get; set; }

    public int? HostPort { get; set; }
}

public sealed class EnvironmentVariable
{
    public string Name { get; set; } = "";

    public string? Value { get; set; }

    public JsonNode? ValueFrom { get; set; }
}

public sealed class VolumeMount
{
    public string Name { get; set; } = "";

    public string MountPath { get; set; } = "";

    public string? SubPath { get; set; }

    public bool? ReadOnly { get; set; }
}

public sealed class PodStatus
{
    /// <summary><c>Pending</c>, <c>Running</c>, <c>Succeeded</c>, <c>Failed</c> or <c>Unknown</c>.</summary>
    public string? Phase { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    public string? PodIP { get; set; }

    [JsonPropertyName("podIPs")]
    public IReadOnlyList<PodAddress> PodIPs { get; set => field = value ?? []; } = [];

    public string? HostIP { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? StartTime { get; set; }

    public IReadOnlyList<Condition> Conditions { get; set => field = value ?? []; } = [];

    public IReadOnlyList<ContainerStatus> InitContainerStatuses { get; set => field = value ?? []; } = [];

    public IReadOnlyList<ContainerStatus> ContainerStatuses { get; set => field = value ?? []; } = [];

    public IReadOnlyList<ContainerStatus> EphemeralContainerStatuses { get; set => field = value ?? []; } = [];
}

public sealed class PodAddress
{
    public string Ip { get; set; } = "";
}

public sealed class ContainerStatus
{
    public string Name { get; set; } = "";

    public bool Ready { get; set; }

    public bool? Started { get; set; }

    public int RestartCount { get; set; }

    public string? Image { get; set; }

    [JsonPropertyName("imageID")]
    public string? ImageId { get; set; }

    [JsonPropertyName("containerID")]
    public string? ContainerId { get; set; }

    public ContainerState State { get; set => field = value ?? new(); } = new();

    public ContainerState LastState { get; set => field = value ?? new(); } = new();
}

/// <summary>At most one of the three is set; none means waiting.</summary>
public sealed class ContainerState
{
    public ContainerWaiting? Waiting { get; set; }

    public ContainerRunning? Running { get; set; }

    public ContainerTerminated? Terminated { get; set; }
}

public sealed class ContainerWaiting
{
    public string? Reason { get; set; }

    public string? Message { get; set; }
}

public sealed class ContainerRunning
{
    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? StartedAt { get; set; }
}

public sealed class ContainerTerminated
{
    public int ExitCode { get; set; }

    public int? Signal { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? StartedAt { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? FinishedAt { get; set; }
}
