using Fairlead.Kubernetes.Models;

namespace Fairlead.Kubernetes;

/// <summary>The built-in kinds that Fairlead uses.</summary>
public static class Resources
{
    private const string Rbac = "rbac.authorization.k8s.io";

    public static ResourceType<Namespace> Namespaces { get; } = Core<Namespace>("namespaces", namespaced: false);

    public static ResourceType<Node> Nodes { get; } = Core<Node>("nodes", namespaced: false);

    public static ResourceType<Pod> Pods { get; } = Core<Pod>("pods");

    public static ResourceType<Service> Services { get; } = Core<Service>("services");

    public static ResourceType<ConfigMap> ConfigMaps { get; } = Core<ConfigMap>("configmaps");

    public static ResourceType<Secret> Secrets { get; } = Core<Secret>("secrets");

    public static ResourceType<ServiceAccount> ServiceAccounts { get; } = Core<ServiceAccount>("serviceaccounts");

    public static ResourceType<Event> Events { get; } = Core<Event>("events");

    public static ResourceType<EndpointSlice> EndpointSlices { get; } = Grouped<EndpointSlice>("discovery.k8s.io", "endpointslices");

    public static ResourceType<Deployment> Deployments { get; } = Grouped<Deployment>("apps", "deployments");

    public static ResourceType<ReplicaSet> ReplicaSets { get; } = Grouped<ReplicaSet>("apps", "replicasets");

    public static ResourceType<StatefulSet> StatefulSets { get; } = Grouped<StatefulSet>("apps", "statefulsets");

    public static ResourceType<Lease> Leases { get; } = Grouped<Lease>("coordination.k8s.io", "leases");

    public static ResourceType<Role> Roles { get; } = Grouped<Role>(Rbac, "roles");

    public static ResourceType<RoleBinding> RoleBindings { get; } = Grouped<RoleBinding>(Rbac, "rolebindings");

    public static ResourceType<ClusterRole> ClusterRoles { get; } = Grouped<ClusterRole>(Rbac, "clusterroles", namespaced: false);

    public static ResourceType<ClusterRoleBinding> ClusterRoleBindings { get; } = Grouped<ClusterRoleBinding>(Rbac, "clusterrolebindings", namespaced: false);

    public static ResourceType<CertificateSigningRequest> CertificateSigningRequests { get; } =
        Grouped<CertificateSigningRequest>("certificates.k8s.io", "certificatesigningrequests", namespaced: false);

    public static ResourceType<CustomResourceDefinition> CustomResourceDefinitions { get; } =
        Grouped<CustomResourceDefinition>("apiextensions.k8s.io", "customresourcedefinitions", namespaced: false);

    private static ResourceType<T> Core<T>(string plural, bool namespaced = true)
        where T : KubeObject => Grouped<T>("", plural, namespaced);

    private static ResourceType<T> Grouped<T>(string group, string plural, bool namespaced = true)
        where T : KubeObject => new(group, "v1", plural, namespaced, typeof(T).Name, ModelJson.Of<T>());
}
