using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes.Models;

/// <summary>
/// What every object of the API has. The models hold the fields that Fairlead uses; others are ignored when read. Lists and maps are
/// never null and left out of what is sent when they are empty. Objects from an informer are shared: treat them as immutable.
/// </summary>
public abstract class KubeObject
{
    /// <summary>Set by the server and by the client when it sends; need not be set by hand.</summary>
    [JsonPropertyOrder(-3)]
    public string? ApiVersion { get; set; }

    [JsonPropertyOrder(-2)]
    public string? Kind { get; set; }

    [JsonPropertyOrder(-1)]
    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();
}

public sealed class ObjectMeta
{
    public string? Name { get; set; }

    /// <summary>The server makes a name that starts with this, when there is no <see cref="Name"/>.</summary>
    public string? GenerateName { get; set; }

    public string? Namespace { get; set; }

    public string? Uid { get; set; }

    /// <summary>Opaque; changes with every write.</summary>
    public string? ResourceVersion { get; set; }

    /// <summary>Grows with every change of the spec.</summary>
    public long? Generation { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? CreationTimestamp { get; set; }

    /// <summary>When set, the object is being deleted.</summary>
    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? DeletionTimestamp { get; set; }

    public Dictionary<string, string> Labels { get; set => field = value ?? []; } = [];

    public Dictionary<string, string> Annotations { get; set => field = value ?? []; } = [];

    public IReadOnlyList<OwnerReference> OwnerReferences { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> Finalizers { get; set => field = value ?? []; } = [];
}

public sealed class OwnerReference
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public string Name { get; set; } = "";

    public string Uid { get; set; } = "";

    public bool? Controller { get; set; }

    public bool? BlockOwnerDeletion { get; set; }
}

public sealed class ListMeta
{
    public string? ResourceVersion { get; set; }

    public string? Continue { get; set; }
}

/// <summary>How the API reports a failure (and some successes).</summary>
public sealed class Status
{
    public string? Kind { get; set; }

    /// <summary>HTTP status.</summary>
    public int Code { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }

    /// <summary><c>Success</c> or <c>Failure</c>.</summary>
    [JsonPropertyName("status")]
    public string? Outcome { get; set; }

    public StatusDetails? Details { get; set; }
}

public sealed class StatusDetails
{
    public string? Name { get; set; }

    public string? Group { get; set; }

    public string? Kind { get; set; }

    public int? RetryAfterSeconds { get; set; }

    public IReadOnlyList<StatusCause> Causes { get; set => field = value ?? []; } = [];
}

public sealed class StatusCause
{
    public string? Reason { get; set; }

    public string? Message { get; set; }

    /// <summary>The field at fault, such as <c>spec.ports[0].port</c>.</summary>
    public string? Field { get; set; }
}

public sealed class DeleteOptions
{
    public string ApiVersion { get; set; } = "v1";

    public string Kind { get; set; } = "DeleteOptions";

    /// <summary>Seconds; 0 is at once.</summary>
    public long? GracePeriodSeconds { get; set; }

    /// <summary><c>Orphan</c>, <c>Background</c> or <c>Foreground</c>.</summary>
    public string? PropagationPolicy { get; set; }

    public Preconditions? Preconditions { get; set; }
}

/// <summary>409 unless these still hold.</summary>
public sealed class Preconditions
{
    public string? Uid { get; set; }

    public string? ResourceVersion { get; set; }
}

public sealed class LabelSelector
{
    public Dictionary<string, string> MatchLabels { get; set => field = value ?? []; } = [];

    public IReadOnlyList<LabelSelectorRequirement> MatchExpressions { get; set => field = value ?? []; } = [];
}

public sealed class LabelSelectorRequirement
{
    public string Key { get; set; } = "";

    /// <summary><c>In</c>, <c>NotIn</c>, <c>Exists</c> or <c>DoesNotExist</c>.</summary>
    public string Operator { get; set; } = "";

    public IReadOnlyList<string> Values { get; set => field = value ?? []; } = [];
}

public sealed class Condition
{
    public string Type { get; set; } = "";

    /// <summary><c>True</c>, <c>False</c> or <c>Unknown</c>.</summary>
    public string Status { get; set; } = "";

    public string? Reason { get; set; }

    public string? Message { get; set; }

    [JsonConverter(typeof(TimeConverter))]
    public DateTimeOffset? LastTransitionTime { get; set; }
}

/// <summary>Points to an object, or to a field of it.</summary>
public sealed class ObjectReference
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public string? Namespace { get; set; }

    public string? Name { get; set; }

    public string? Uid { get; set; }

    public string? ResourceVersion { get; set; }

    public string? FieldPath { get; set; }
}
