using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>
/// The objects that make a gateway, in the order in which they are applied. Those without choices are read from the chart's own files
/// (deploy/chart/templates), the others made here as the chart's templates make them; a test compares the two.
/// </summary>
internal static class GatewayManifests
{
    private const string NamespacePlaceholder = "{{ .Release.Namespace }}";
    private const string WatchRole = "fairlead-gateway-watch";
    private const string AgentRole = "fairlead-gateway-agents";
    private const string Rbac = "rbac.authorization.k8s.io/v1";

    private static readonly string[] ReadVerbs = ["get", "list", "watch"];

    public static IReadOnlyList<JsonObject> Make(GatewayValues values, string ns) =>
    [
        Namespace(ns),
        .. FromChart("grants.yaml", ns),
        .. FromChart("rights.yaml", ns),
        .. WatchRights(values.Namespaces, ns),
        .. values.Agents.Namespaces.Distinct().SelectMany(one => Grant("Role", AgentRole, one, ns, AgentRules())),
        ClientSettings(values, ns),
        Deployment(values, ns),
        DisruptionBudget(ns),
        Service(values.Service, ns),
        .. values.Ingress.Enabled ? [Ingress(values.Ingress, ns)] : Array.Empty<JsonObject>(),
        .. values.NetworkPolicy.Enabled ? [NetworkPolicy(ns)] : Array.Empty<JsonObject>(),
    ];

    /// <summary>Not in the chart: Helm wants the namespace to be there before it (<c>--create-namespace</c>).</summary>
    private static JsonObject Namespace(string ns) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Namespace",
        ["metadata"] = new JsonObject
        {
            ["name"] = ns,
            ["labels"] = new JsonObject { [ClusterObjects.ManagedByLabel] = "fairlead", ["pod-security.kubernetes.io/enforce"] = "restricted" },
        },
    };

    private static IReadOnlyList<JsonObject> FromChart(string file, string ns)
    {
        using var reader = new StreamReader(typeof(GatewayManifests).Assembly.GetManifestResourceStream("chart/" + file)!);
        return Yaml.Parse(reader.ReadToEnd().Replace(NamespacePlaceholder, ns, StringComparison.Ordinal));
    }

    private static IEnumerable<JsonObject> WatchRights(IReadOnlyList<string> namespaces, string ns)
    {
        if (namespaces.Count == 0)
        {
            return Grant("ClusterRole", WatchRole, null, ns, WatchRules(null));
        }

        var all = namespaces.Append(ns).Distinct().ToList();
        var granted = all.SelectMany(one => Grant("Role", WatchRole, one, ns, WatchRules(null)));

        // What leads to the API server has to be known wherever services are served.
        return all.Contains("default") ? granted : granted.Concat(Grant("Role", WatchRole, "default", ns, WatchRules("kubernetes")));
    }

    /// <summary>To find a workload, to put a container into its pods, and to tell that what to do.</summary>
    private static JsonArray AgentRules() =>
    [
        Rule("apps", ["deployments", "replicasets", "statefulsets"], null, "get"),
        Rule("", ["pods"], null, "get", "list"),
        Rule("", ["pods/ephemeralcontainers"], null, "patch"),
        Rule("", ["pods/attach"], null, "get", "create"),
    ];

    private static JsonArray WatchRules(string? name) =>
    [
        Rule("", name is null ? ["services", "pods"] : ["services"], name),
        Rule("discovery.k8s.io", ["endpointslices"], name),
    ];

    private static JsonObject Rule(string group, string[] resources, string? name, params string[] verbs)
    {
        var rule = new JsonObject { ["apiGroups"] = new JsonArray(group), ["resources"] = Texts(resources) };
        if (name is not null)
        {
            rule["resourceNames"] = new JsonArray(name);
        }

        rule["verbs"] = Texts(verbs.Length > 0 ? verbs : ReadVerbs);
        return rule;
    }

    private static IEnumerable<JsonObject> Grant(string kind, string name, string? where, string gatewayNamespace, JsonArray rules)
    {
        var role = Object(Rbac, kind, name, where);
        role["rules"] = rules;
        yield return role;
        var binding = Object(Rbac, kind + "Binding", name, where);
        binding["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = kind, ["name"] = name };
        binding["subjects"] = new JsonArray(new JsonObject { ["kind"] = "ServiceAccount", ["name"] = ClusterObjects.Gateway, ["namespace"] = gatewayNamespace });
        yield return binding;
    }

    private static JsonObject ClientSettings(GatewayValues values, string ns)
    {
        var map = Object("v1", "ConfigMap", ClusterObjects.ClientConfigMap, ns);
        map["data"] = new JsonObject
        {
            [ClientSettingKeys.AllowConflictingSubnets] = string.Join(',', values.Client.Routing.AllowConflictingSubnets),
            [ClientSettingKeys.AlsoProxySubnets] = string.Join(',', values.Client.Routing.AlsoProxySubnets),
            [ClientSettingKeys.NeverProxySubnets] = string.Join(',', values.Client.Routing.NeverProxySubnets),
            [ClientSettingKeys.DnsIncludeSuffixes] = string.Join(',', values.Client.Dns.IncludeSuffixes),
            [ClientSettingKeys.DnsExcludeSuffixes] = string.Join(',', values.Client.Dns.ExcludeSuffixes),
            [ClientSettingKeys.VirtualSubnet] = values.Cluster.VirtualIPSubnet,
            [ClientSettingKeys.Resolver] = values.Client.Resolver,
        };
        return map;
    }

    private static JsonObject Deployment(GatewayValues values, string ns)
    {
        var labels = Map(values.PodLabels);
        labels[ClusterObjects.NameLabel] = ClusterObjects.Gateway;
        labels[ClusterObjects.ManagedByLabel] = "fairlead";
        var podMetadata = new JsonObject { ["labels"] = labels };
        AddIfAny(podMetadata, "annotations", Map(values.PodAnnotations));
        var deployment = Object("apps/v1", "Deployment", ClusterObjects.Gateway, ns);
        deployment["spec"] = new JsonObject
        {
            ["replicas"] = values.Replicas,
            ["selector"] = Selector(),
            ["strategy"] = new JsonObject { ["type"] = "RollingUpdate", ["rollingUpdate"] = new JsonObject { ["maxUnavailable"] = 0, ["maxSurge"] = 1 } },
            ["template"] = new JsonObject { ["metadata"] = podMetadata, ["spec"] = PodSpec(values) },
        };
        return deployment;
    }

    private static JsonObject PodSpec(GatewayValues values)
    {
        var pod = new JsonObject
        {
            ["serviceAccountName"] = ClusterObjects.Gateway,

            // Open flows may go on for FAIRLEAD_DRAIN_SECONDS after SIGTERM; the rest is for closing.
            ["terminationGracePeriodSeconds"] = 40,
            ["enableServiceLinks"] = false,
            ["securityContext"] = new JsonObject
            {
                ["runAsNonRoot"] = true,
                ["runAsUser"] = 65532,
                ["runAsGroup"] = 65532,
                ["seccompProfile"] = new JsonObject { ["type"] = "RuntimeDefault" },

                // Lets the gateway's group, and no other, send echo requests without a capability.
                ["sysctls"] = new JsonArray(Variable("net.ipv4.ping_group_range", "65532 65532")),
            },
            ["affinity"] = values.Affinity.Count > 0 ? values.Affinity.DeepClone() : AwayFromOthers(),
            ["topologySpreadConstraints"] = new JsonArray(new JsonObject
            {
                ["maxSkew"] = 1,
                ["topologyKey"] = "topology.kubernetes.io/zone",
                ["whenUnsatisfiable"] = "ScheduleAnyway",
                ["labelSelector"] = Selector(),
            }),
            ["containers"] = new JsonArray(Container(values)),
        };
        AddIfAny(pod, "imagePullSecrets", new JsonArray([.. values.Image.PullSecrets.Select(s => new JsonObject { ["name"] = s })]));
        AddIfAny(pod, "nodeSelector", Map(values.NodeSelector));
        AddIfAny(pod, "tolerations", new JsonArray([.. values.Tolerations.Select(t => t.DeepClone())]));
        if (values.PriorityClassName.Length > 0)
        {
            pod["priorityClassName"] = values.PriorityClassName;
        }

        return pod;
    }

    private static JsonObject AwayFromOthers() => new()
    {
        ["podAntiAffinity"] = new JsonObject
        {
            ["preferredDuringSchedulingIgnoredDuringExecution"] = new JsonArray(new JsonObject
            {
                ["weight"] = 100,
                ["podAffinityTerm"] = new JsonObject { ["topologyKey"] = "kubernetes.io/hostname", ["labelSelector"] = Selector() },
            }),
        },
    };

    private static JsonObject Container(GatewayValues values)
    {
        var container = new JsonObject
        {
            ["name"] = "gateway",
            ["image"] = ImageOf(values.Image),
            ["imagePullPolicy"] = values.Image.PullPolicy,
            ["env"] = new JsonArray(
                new JsonObject { ["name"] = "POD_IP", ["valueFrom"] = new JsonObject { ["fieldRef"] = new JsonObject { ["fieldPath"] = "status.podIP" } } },
                Variable("FAIRLEAD_SPACE_NAME", values.SpaceName),
                Variable("FAIRLEAD_ENDPOINTS", string.Join(',', values.Endpoints)),
                Variable("FAIRLEAD_INGRESS_HOST", values.Ingress.Enabled ? values.Ingress.Host : ""),
                Variable("FAIRLEAD_NAMESPACES", string.Join(',', values.Namespaces)),
                Variable("FAIRLEAD_AGENT_NAMESPACES", string.Join(',', values.Agents.Namespaces)),
                Variable("FAIRLEAD_SERVICE_SUBNETS", string.Join(',', values.Cluster.ServiceSubnets)),
                Variable("FAIRLEAD_POD_SUBNETS", string.Join(',', values.Cluster.PodSubnets)),
                Variable("FAIRLEAD_LOG_LEVEL", values.LogLevel),
                Variable("FAIRLEAD_DRAIN_SECONDS", "25"),

                // The diagnostics port would want a writable /tmp.
                Variable("DOTNET_EnableDiagnostics", "0")),
            ["ports"] = new JsonArray(Port("api", 8443), Port("data", 8444), Port(ReplicaStatus.PortName, 8080)),
            ["startupProbe"] = Probe("/healthz", ("periodSeconds", 1), ("failureThreshold", 60)),

            // Three: one answer that is late under load must not take a gateway's addresses away. One that ends loses them by its deletion.
            ["readinessProbe"] = Probe("/readyz", ("periodSeconds", 1), ("failureThreshold", 3), ("timeoutSeconds", 5)),
            ["livenessProbe"] = Probe("/healthz", ("periodSeconds", 10), ("timeoutSeconds", 5)),
            ["securityContext"] = new JsonObject
            {
                ["allowPrivilegeEscalation"] = false,
                ["readOnlyRootFilesystem"] = true,
                ["capabilities"] = new JsonObject { ["drop"] = new JsonArray("ALL") },
            },
        };
        AddIfAny(container, "resources", values.Resources.DeepClone());
        return container;
    }

    private static string ImageOf(ImageValues image) => image.Digest.Length > 0 ? $"{image.Repository}@{image.Digest}" : $"{image.Repository}:{image.Tag}";

    private static JsonObject DisruptionBudget(string ns)
    {
        var budget = Object("policy/v1", "PodDisruptionBudget", ClusterObjects.Gateway, ns);
        budget["spec"] = new JsonObject { ["maxUnavailable"] = 1, ["selector"] = Selector() };
        return budget;
    }

    private static JsonObject Service(ServiceValues values, string ns)
    {
        var service = Object("v1", "Service", ClusterObjects.Gateway, ns);
        AddIfAny(service["metadata"]!.AsObject(), "annotations", Map(values.Annotations));
        var hasNodePorts = values.Type != "ClusterIP";
        var spec = new JsonObject
        {
            ["type"] = values.Type,
            ["selector"] = new JsonObject { [ClusterObjects.NameLabel] = ClusterObjects.Gateway },
            ["ports"] = new JsonArray(
                ServicePort("api", values.ApiPort, hasNodePorts ? values.NodePorts.Api : 0),
                ServicePort("data", values.DataPort, hasNodePorts ? values.NodePorts.Data : 0)),
        };
        if (values.Type == "LoadBalancer")
        {
            AddIfAny(spec, "loadBalancerSourceRanges", Texts(values.LoadBalancerSourceRanges));
            if (values.LoadBalancerClass.Length > 0)
            {
                spec["loadBalancerClass"] = values.LoadBalancerClass;
            }

            if (values.LoadBalancerIP.Length > 0)
            {
                spec["loadBalancerIP"] = values.LoadBalancerIP;
            }
        }

        service["spec"] = spec;
        return service;
    }

    private static JsonObject ServicePort(string name, int port, int nodePort)
    {
        var value = new JsonObject { ["name"] = name, ["port"] = port, ["targetPort"] = name, ["protocol"] = "TCP" };
        if (nodePort > 0)
        {
            value["nodePort"] = nodePort;
        }

        return value;
    }

    private static JsonObject Ingress(IngressValues values, string ns)
    {
        var ingress = Object("networking.k8s.io/v1", "Ingress", ClusterObjects.Gateway, ns);
        AddIfAny(ingress["metadata"]!.AsObject(), "annotations", Map(values.Annotations));
        var tls = new JsonObject { ["hosts"] = new JsonArray(values.Host) };
        if (values.TlsSecretName.Length > 0)
        {
            tls["secretName"] = values.TlsSecretName;
        }

        var backend = new JsonObject { ["service"] = new JsonObject { ["name"] = ClusterObjects.Gateway, ["port"] = new JsonObject { ["name"] = "api" } } };
        var path = new JsonObject { ["path"] = GatewayApi.Tunnel, ["pathType"] = "Exact", ["backend"] = backend };
        var spec = new JsonObject
        {
            ["tls"] = new JsonArray(tls),
            ["rules"] = new JsonArray(new JsonObject { ["host"] = values.Host, ["http"] = new JsonObject { ["paths"] = new JsonArray(path) } }),
        };
        if (values.ClassName.Length > 0)
        {
            spec["ingressClassName"] = values.ClassName;
        }

        ingress["spec"] = spec;
        return ingress;
    }

    private static JsonObject NetworkPolicy(string ns)
    {
        var policy = Object("networking.k8s.io/v1", "NetworkPolicy", ClusterObjects.Gateway, ns);
        policy["spec"] = new JsonObject
        {
            ["podSelector"] = Selector(),
            ["policyTypes"] = new JsonArray("Ingress", "Egress"),
            ["ingress"] = new JsonArray(new JsonObject
            {
                ["ports"] = new JsonArray([.. new[] { "api", "data", ReplicaStatus.PortName }.Select(port => new JsonObject { ["port"] = port, ["protocol"] = "TCP" })]),
            }),
            ["egress"] = new JsonArray(new JsonObject()),
        };
        return policy;
    }

    private static JsonObject Object(string apiVersion, string kind, string name, string? ns)
    {
        var metadata = new JsonObject { ["name"] = name };
        if (ns is not null)
        {
            metadata["namespace"] = ns;
        }

        metadata["labels"] = new JsonObject { [ClusterObjects.NameLabel] = ClusterObjects.Gateway, [ClusterObjects.ManagedByLabel] = "fairlead" };
        return new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = metadata };
    }

    private static JsonObject Selector() => new() { ["matchLabels"] = new JsonObject { [ClusterObjects.NameLabel] = ClusterObjects.Gateway } };

    private static JsonObject Variable(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static JsonObject Port(string name, int port) => new() { ["name"] = name, ["containerPort"] = port };

    private static JsonObject Probe(string path, params ReadOnlySpan<(string Key, int Value)> more)
    {
        var probe = new JsonObject { ["httpGet"] = new JsonObject { ["path"] = path, ["port"] = ReplicaStatus.PortName } };
        foreach (var (key, value) in more)
        {
            probe[key] = value;
        }

        return probe;
    }

    private static JsonObject Map(Dictionary<string, string> values) => new(values.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, v.Value)));

    private static JsonArray Texts(IEnumerable<string> values) => [.. values.Select(v => (JsonNode)v)];

    private static void AddIfAny(JsonObject into, string key, JsonNode value)
    {
        if (value is JsonArray { Count: > 0 } or JsonObject { Count: > 0 })
        {
            into[key] = value;
        }
    }
}
