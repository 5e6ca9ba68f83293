using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Objects;

/// <summary>The resources that controllers, node, proxy and DNS work with.</summary>
internal static class Kinds
{
    internal static readonly ResourceId Namespaces = new("", "v1", "namespaces");
    internal static readonly ResourceId Nodes = new("", "v1", "nodes");
    internal static readonly ResourceId Pods = new("", "v1", "pods");
    internal static readonly ResourceId Services = new("", "v1", "services");
    internal static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    internal static readonly ResourceId Secrets = new("", "v1", "secrets");
    internal static readonly ResourceId ServiceAccounts = new("", "v1", "serviceaccounts");
    internal static readonly ResourceId Events = new("", "v1", "events");
    internal static readonly ResourceId PersistentVolumes = new("", "v1", "persistentvolumes");
    internal static readonly ResourceId PersistentVolumeClaims = new("", "v1", "persistentvolumeclaims");
    internal static readonly ResourceId EndpointSlices = new("discovery.k8s.io", "v1", "endpointslices");
    internal static readonly ResourceId Deployments = new("apps", "v1", "deployments");
    internal static readonly ResourceId ReplicaSets = new("apps", "v1", "replicasets");
    internal static readonly ResourceId StatefulSets = new("apps", "v1", "statefulsets");
    internal static readonly ResourceId Leases = new("coordination.k8s.io", "v1", "leases");
    internal static readonly ResourceId Roles = new("rbac.authorization.k8s.io", "v1", "roles");
    internal static readonly ResourceId RoleBindings = new("rbac.authorization.k8s.io", "v1", "rolebindings");
    internal static readonly ResourceId PodDisruptionBudgets = new("policy", "v1", "poddisruptionbudgets");
    internal static readonly ResourceId CustomResourceDefinitions = new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
}
