using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

public sealed class Namespace : KubeObject
{
    public NamespaceStatus? Status { get; set; }
}

public sealed class NamespaceStatus
{
    /// <summary><c>Active</c> or <c>Terminating</c>.</summary>
    public string? Phase { get; set; }
}

public sealed class Node : KubeObject
{
    public NodeSpec Spec { get; set => field = value ?? new(); } = new();

    public NodeStatus? Status { get; set; }
}

public sealed class NodeSpec
{
    [JsonPropertyName("podCIDR")]
    public string? PodCidr { get; set; }

    [JsonPropertyName("podCIDRs")]
    public IReadOnlyList<string> PodCidrs { get; set => field = value ?? []; } = [];

    public bool? Unschedulable { get; set; }
}

public sealed class NodeStatus
{
    public IReadOnlyList<NodeAddress> Addresses { get; set => field = value ?? []; } = [];

    public NodeDaemonEndpoints? DaemonEndpoints { get; set; }

    public IReadOnlyList<Condition> Conditions { get; set => field = value ?? []; } = [];
}

public sealed class NodeDaemonEndpoints
{
    public DaemonEndpoint? KubeletEndpoint { get; set; }
}

public sealed class DaemonEndpoint
{
    [JsonPropertyName("Port")]
    public int Port { get; set; }
}

public sealed class NodeAddress
{
    /// <summary><c>InternalIP</c>, <c>ExternalIP</c>, <c>Hostname</c>, …</summary>
    public string Type { get; set; } = "";

    public string Address { get; set; } = "";
}

public sealed class ConfigMap : KubeObject
{
    public Dictionary<string, string> Data { get; set => field = value ?? []; } = [];

    public Dictionary<string, byte[]> BinaryData { get; set => field = value ?? []; } = [];

    public bool? Immutable { get; set; }
}

public sealed class Secret : KubeObject
{
    public string? Type { get; set; }

    /// <summary>Bytes; base64 on the wire.</summary>
    public Dictionary<string, byte[]> Data { get; set => field = value ?? []; } = [];

    /// <summary>Write only: the server turns it into <see cref="Data"/>.</summary>
    public Dictionary<string, string> StringData { get; set => field = value ?? []; } = [];

    public bool? Immutable { get; set; }
}

public sealed class ServiceAccount : KubeObject
{
    public bool? AutomountServiceAccountToken { get; set; }
}

/// <summary>An occurrence that people see with <c>kubectl describe</c> (core/v1).</summary>
public sealed class Event : KubeObject
{
    public ObjectReference InvolvedObject { get; set => field = value ?? new(); } = new();

    /// <summary>One word for machines.</summary>
    public string? Reason { get; set; }

    public string? Message { get; set; }

    /// <summary><c>Normal</c> or <c>Warning</c>.</summary>
    public string? Type { get; set; }

    public string? Action { get; set; }

    public EventSource? Source { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? FirstTimestamp { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? LastTimestamp { get; set; }

    [JsonConverter(typeof(MicroTimeConverter))]
    public DateTimeOffset? EventTime { get; set; }

    public int? Count { get; set; }

    public string? ReportingComponent { get; set; }

    public string? ReportingInstance { get; set; }
}

public sealed class EventSource
{
    public string? Component { get; set; }

    public string? Host { get; set; }
}
