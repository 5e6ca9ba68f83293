using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>All objects of one list, and the version to watch from so that nothing is missed.</summary>
/// <param name="ResourceVersion">Version of the collection, opaque.</param>
public sealed record ResourceList<T>(IReadOnlyList<T> Items, string ResourceVersion)
    where T : KubeObject;
