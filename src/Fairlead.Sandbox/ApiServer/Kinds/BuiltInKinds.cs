using Fairlead.Sandbox.ApiServer.Admission.Defaults;
using Fairlead.Sandbox.ApiServer.Admission.Validation;
using Fairlead.Sandbox.ApiServer.Patching;
using Fairlead.Sandbox.ApiServer.Tables;

namespace Fairlead.Sandbox.ApiServer.Kinds;

/// <summary>The kinds of sandbox.md, in the order in which discovery lists them.</summary>
internal static class BuiltInKinds
{
    private static readonly string[] ReadWrite = ["get", "patch", "update"];
    private static readonly string[] CreateOnly = ["create"];
    private static readonly string[] Connect = ["create", "get"];

    public static readonly ResourceId Namespaces = new("", "v1", "namespaces");
    public static readonly ResourceId Nodes = new("", "v1", "nodes");
    public static readonly ResourceId Pods = new("", "v1", "pods");
    public static readonly ResourceId Services = new("", "v1", "services");
    public static readonly ResourceId ConfigMaps = new("", "v1", "configmaps");
    public static readonly ResourceId ServiceAccounts = new("", "v1", "serviceaccounts");
    public static readonly ResourceId EndpointSlices = new("discovery.k8s.io", "v1", "endpointslices");
    public static readonly ResourceId PodDisruptionBudgets = new("policy", "v1", "poddisruptionbudgets");
    public static readonly ResourceId Roles = Rbac("roles");
    public static readonly ResourceId RoleBindings = Rbac("rolebindings");
    public static readonly ResourceId ClusterRoles = Rbac("clusterroles");
    public static readonly ResourceId ClusterRoleBindings = Rbac("clusterrolebindings");
    public static readonly ResourceId CertificateSigningRequests = new("certificates.k8s.io", "v1", "certificatesigningrequests");
    public static readonly ResourceId CustomResourceDefinitions = new("apiextensions.k8s.io", "v1", "customresourcedefinitions");

    public static readonly IReadOnlyList<ResourceKind> All =
    [
        new("", "v1", "namespaces", "Namespace", namespaced: false, "ns")
        {
            Subresources = [Subresource.Status("Namespace"), new("finalize", "Namespace", ["update"])],
            FieldLabels = ["status.phase"],
            Columns = ClusterColumns.Namespace,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = ClusterDefaults.Namespace,
        },
        new("", "v1", "nodes", "Node", namespaced: false, "no")
        {
            Subresources = [Subresource.Status("Node")],
            FieldLabels = ["spec.unschedulable"],
            Columns = ClusterColumns.Node,
            Merge = BuiltInMergeSchemas.Node,
        },
        new("", "v1", "pods", "Pod", namespaced: true, "po")
        {
            Categories = ["all"],
            Subresources =
            [
                Subresource.Status("Pod"),
                new("attach", "PodAttachOptions", Connect),
                new("ephemeralcontainers", "Pod", ReadWrite),
                new("eviction", "Eviction", CreateOnly, "policy", "v1"),
                new("exec", "PodExecOptions", Connect),
                new("log", "Pod", ["get"]),
                new("portforward", "PodPortForwardOptions", Connect),
            ],
            FieldLabels =
            [
                "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase",
                "status.podIP", "status.nominatedNodeName",
            ],
            Columns = PodColumns.All,
            Merge = BuiltInMergeSchemas.Pod,
            SetDefaults = PodDefaults.Pod,
            Validate = PodValidation.Pod,
        },
        new("", "v1", "services", "Service", namespaced: true, "svc")
        {
            Categories = ["all"],
            Subresources = [Subresource.Status("Service")],
            FieldLabels = ["spec.clusterIP", "spec.type"],
            Columns = NetworkColumns.Service,
            Merge = BuiltInMergeSchemas.Service,
            SetDefaults = ServiceDefaults.Service,
            Validate = ServiceValidation.Service,
        },
        new("", "v1", "configmaps", "ConfigMap", namespaced: true, "cm")
        {
            Columns = StorageColumns.ConfigMap,
            Merge = BuiltInMergeSchemas.Plain,
            Validate = DataValidation.ConfigMap,
        },
        new("", "v1", "secrets", "Secret", namespaced: true)
        {
            FieldLabels = ["type"],
            Columns = StorageColumns.Secret,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = StorageDefaults.Secret,
            Validate = DataValidation.Secret,
        },
        new("", "v1", "serviceaccounts", "ServiceAccount", namespaced: true, "sa")
        {
            Subresources = [new("token", "TokenRequest", CreateOnly, "authentication.k8s.io", "v1")],
            Columns = StorageColumns.ServiceAccount,
            Merge = BuiltInMergeSchemas.ServiceAccount,
        },
        new("", "v1", "persistentvolumes", "PersistentVolume", namespaced: false, "pv")
        {
            Subresources = [Subresource.Status("PersistentVolume")],
            Columns = StorageColumns.PersistentVolume,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = StorageDefaults.PersistentVolume,
            Validate = StorageValidation.PersistentVolume,
        },
        new("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", namespaced: true, "pvc")
        {
            Subresources = [Subresource.Status("PersistentVolumeClaim")],
            Columns = StorageColumns.PersistentVolumeClaim,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = StorageDefaults.PersistentVolumeClaim,
            Validate = StorageValidation.PersistentVolumeClaim,
        },
        new("", "v1", "events", "Event", namespaced: true, "ev")
        {
            FieldLabels =
            [
                "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
                "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
            ],
            Columns = ClusterColumns.Event,
            Merge = BuiltInMergeSchemas.Plain,
        },
        new("apps", "v1", "deployments", "Deployment", namespaced: true, "deploy")
        {
            Categories = ["all"],
            Subresources = [Subresource.Status("Deployment"), Subresource.Scale],
            HasGeneration = true,
            Columns = WorkloadColumns.Deployment,
            Merge = BuiltInMergeSchemas.Workload,
            SetDefaults = WorkloadDefaults.Deployment,
            Validate = WorkloadValidation.Deployment,
        },
        new("apps", "v1", "replicasets", "ReplicaSet", namespaced: true, "rs")
        {
            Categories = ["all"],
            Subresources = [Subresource.Status("ReplicaSet"), Subresource.Scale],
            HasGeneration = true,
            FieldLabels = ["status.replicas"],
            Columns = WorkloadColumns.ReplicaSet,
            Merge = BuiltInMergeSchemas.Workload,
            SetDefaults = WorkloadDefaults.ReplicaSet,
            Validate = WorkloadValidation.Workload,
        },
        new("apps", "v1", "statefulsets", "StatefulSet", namespaced: true, "sts")
        {
            Categories = ["all"],
            Subresources = [Subresource.Status("StatefulSet"), Subresource.Scale],
            HasGeneration = true,
            Columns = WorkloadColumns.StatefulSet,
            Merge = BuiltInMergeSchemas.Workload,
            SetDefaults = WorkloadDefaults.StatefulSet,
            Validate = WorkloadValidation.StatefulSet,
        },
        new("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced: true)
        {
            HasGeneration = true,
            Columns = NetworkColumns.EndpointSlice,
            Merge = BuiltInMergeSchemas.EndpointSlice,
            Validate = ServiceValidation.EndpointSlice,
        },
        new("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", namespaced: true, "pdb")
        {
            Subresources = [Subresource.Status("PodDisruptionBudget")],
            HasGeneration = true,
            Columns = WorkloadColumns.PodDisruptionBudget,
            Merge = BuiltInMergeSchemas.Plain,
        },
        new("networking.k8s.io", "v1", "ingresses", "Ingress", namespaced: true, "ing") { Subresources = [Subresource.Status("Ingress")], HasGeneration = true, Merge = BuiltInMergeSchemas.Plain },
        new("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", namespaced: true, "netpol") { HasGeneration = true, Merge = BuiltInMergeSchemas.Plain },
        new("coordination.k8s.io", "v1", "leases", "Lease", namespaced: true) { Columns = ClusterColumns.Lease, Merge = BuiltInMergeSchemas.Plain },
        new("rbac.authorization.k8s.io", "v1", "roles", "Role", namespaced: true) { Columns = AccessColumns.Role, Merge = BuiltInMergeSchemas.Plain },
        new("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", namespaced: true)
        {
            Columns = AccessColumns.Binding,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = AccessDefaults.Binding,
            Validate = AccessValidation.Binding,
        },
        new("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced: false) { Columns = AccessColumns.Role, Merge = BuiltInMergeSchemas.Plain },
        new("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced: false)
        {
            Columns = AccessColumns.Binding,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = AccessDefaults.Binding,
            Validate = AccessValidation.Binding,
        },
        new("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced: false, "csr")
        {
            Subresources = [new("approval", "CertificateSigningRequest", ReadWrite), Subresource.Status("CertificateSigningRequest")],
            FieldLabels = ["spec.signerName"],
            Columns = CertificateColumns.Request,
            Merge = BuiltInMergeSchemas.CertificateSigningRequest,
            Validate = CertificateValidation.Request,
        },
        new("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced: false, "crd", "crds")
        {
            Categories = ["api-extensions"],
            Subresources = [Subresource.Status("CustomResourceDefinition")],
            HasGeneration = true,
            Columns = ClusterColumns.CustomResourceDefinition,
            Merge = BuiltInMergeSchemas.Plain,
            SetDefaults = CustomResourceDefaults.Definition,
            Validate = CustomResourceDefinitionValidation.Definition,
        },
        new("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced: false) { Verbs = CreateOnly },
        new("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced: false) { Verbs = CreateOnly },
        new("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced: false) { Verbs = CreateOnly },
        new("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced: false) { Verbs = CreateOnly },
        new("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced: false) { Verbs = CreateOnly },
        new("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced: true) { Verbs = CreateOnly },
    ];

    private static ResourceId Rbac(string plural) => new("rbac.authorization.k8s.io", "v1", plural);
}
