using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

public enum WatchEventType
{
    Added,
    Modified,
    Deleted,

    /// <summary>Nothing changed: <see cref="WatchEvent{T}.ResourceVersion"/> is where to resume.</summary>
    Bookmark,
}

/// <param name="Object">The object after the change, or its last state when it was deleted; null for a bookmark.</param>
public sealed record WatchEvent<T>(WatchEventType Type, T? Object, string ResourceVersion)
    where T : KubeObject;
