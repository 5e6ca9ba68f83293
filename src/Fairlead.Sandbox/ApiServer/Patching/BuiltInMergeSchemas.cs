namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>
/// The merge keys of the built-in kinds, as <c>x-kubernetes-patch-merge-key</c> and <c>x-kubernetes-list-map-keys</c> of
/// Kubernetes' OpenAPI document give them.
/// </summary>
internal static class BuiltInMergeSchemas
{
    private static readonly MergeSchema Metadata = MergeSchema.Of(
        ("ownerReferences", MergeSchema.ListBy("uid")),
        ("finalizers", MergeSchema.Set));

    private static readonly MergeSchema Conditions = MergeSchema.ListBy("type");

    private static readonly MergeSchema Container = MergeSchema.Of(
        ("env", MergeSchema.ListBy("name")),
        ("volumeMounts", MergeSchema.ListBy("mountPath")),
        ("volumeDevices", MergeSchema.ListBy("devicePath")),
        ("resources", MergeSchema.Of(("claims", MergeSchema.ListBy("name")))),
        ("ports", PortsBy("containerPort")));

    private static readonly MergeSchema PodSpec = MergeSchema.Of(
        ("containers", MergeSchema.ListBy("name", Container)),
        ("initContainers", MergeSchema.ListBy("name", Container)),
        ("ephemeralContainers", MergeSchema.ListBy("name", Container)),
        ("volumes", MergeSchema.ListBy("name")),
        ("imagePullSecrets", MergeSchema.ListBy("name")),
        ("hostAliases", MergeSchema.ListBy("ip")),
        ("nodeSelector", MergeSchema.Atomic),
        ("readinessGates", MergeSchema.Atomic),
        ("schedulingGates", MergeSchema.ListBy("name")),
        ("resourceClaims", MergeSchema.ListBy("name")),
        ("topologySpreadConstraints", new MergeSchema { PatchKey = "topologyKey", ListKeys = ["topologyKey", "whenUnsatisfiable"] }));

    private static readonly MergeSchema Template = MergeSchema.Of(("metadata", Metadata), ("spec", PodSpec));

    /// <summary>Kinds without lists of their own.</summary>
    public static readonly MergeSchema Plain = MergeSchema.Of(("metadata", Metadata), ("status", MergeSchema.Of(("conditions", Conditions))));

    public static readonly MergeSchema Pod = Plain.With(
        ("spec", PodSpec),
        ("status", MergeSchema.Of(("conditions", Conditions), ("podIPs", MergeSchema.ListBy("ip")), ("hostIPs", MergeSchema.Atomic))));

    public static readonly MergeSchema Workload = Plain.With(("spec", MergeSchema.Of(
        ("selector", MergeSchema.Atomic),
        ("template", Template),
        ("volumeClaimTemplates", MergeSchema.Atomic))));

    public static readonly MergeSchema Service = Plain.With(("spec", MergeSchema.Of(
        ("ports", PortsBy("port")),
        ("selector", MergeSchema.Atomic))));

    public static readonly MergeSchema ServiceAccount = Plain.With(
        ("secrets", MergeSchema.ListBy("name")),
        ("imagePullSecrets", MergeSchema.Atomic));

    public static readonly MergeSchema Node = Plain.With(
        ("spec", MergeSchema.Of(("taints", MergeSchema.Atomic), ("podCIDRs", MergeSchema.Set))),
        ("status", MergeSchema.Of(("conditions", Conditions), ("addresses", MergeSchema.ListBy("type")))));

    public static readonly MergeSchema EndpointSlice = Plain.With(("ports", MergeSchema.Atomic), ("endpoints", MergeSchema.Atomic));

    public static readonly MergeSchema Namespace = Plain;

    /// <summary>Its conditions have list keys but no patch key: a strategic merge patch replaces them.</summary>
    public static readonly MergeSchema CertificateSigningRequest = Plain.With(
        ("status", MergeSchema.Of(("conditions", new MergeSchema { ListKeys = ["type"], Items = MergeSchema.Object }))));

    private static MergeSchema PortsBy(string key) => new()
    {
        PatchKey = key,
        ListKeys = [key, "protocol"],
        KeyDefaults = new Dictionary<string, string> { ["protocol"] = "TCP" },
        Items = MergeSchema.Object,
    };
}
