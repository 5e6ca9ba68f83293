using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

public enum InformerEventType
{
    Added,
    Modified,
    Deleted,
}

/// <param name="Object">The object now, or its last known state when it is gone.</param>
/// <param name="Previous">Its state before; null when it was added.</param>
public sealed record InformerEvent<T>(InformerEventType Type, T Object, T? Previous)
    where T : KubeObject;

/// <summary>Why an informer lost its connection, and when it tries again.</summary>
public sealed record InformerFailure(Exception Error, TimeSpan RetryIn);
