using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Companion.Administration.Values;

/// <summary>
/// All that an admin may choose about a gateway. The one source of what the values are called, mean, default to and may be:
/// <see cref="ValueSchema"/> reads it for the checks, and for values.yaml and values.schema.json of deploy/chart.
/// </summary>
internal sealed class GatewayValues
{
    [Value("How people will call the space.", ValueForm.Label)]
    public string SpaceName { get; set; } = "default";

    [Value("The image of the gateway; its agents use the same.")]
    public ImageValues Image { get; set; } = new();

    [Value("How many gateways. Laptops keep tunnels to two.", Min = 1, Max = 16)]
    public int Replicas { get; set; } = 2;

    [Value("The only namespaces whose services the gateway sees and may watch, by a Role in each; they must exist. Empty: every namespace, by a ClusterRole.", ValueForm.Label)]
    public IReadOnlyList<string> Namespaces { get; set; } = [];

    [Value("Where laptops reach the gateway, as HOST:API-PORT:DATA-PORT; join tokens carry it. Empty: found from the Service and the nodes.", ValueForm.Endpoint)]
    public IReadOnlyList<string> Endpoints { get; set; } = [];

    [Value("The Service that laptops reach.")]
    public ServiceValues Service { get; set; } = new();

    [Value("An HTTP ingress for laptops that can't reach the Service: a WebSocket with the gateway's own TLS inside.")]
    public IngressValues Ingress { get; set; } = new();

    [Value("For clusters that deny by default: a NetworkPolicy that lets laptops in and the gateway out.")]
    public NetworkPolicyValues NetworkPolicy { get; set; } = new();

    [Value("Resources of the container (core/v1 ResourceRequirements).")]
    public JsonObject Resources { get; set; } = new()
    {
        ["requests"] = new JsonObject { ["cpu"] = "50m", ["memory"] = "96Mi" },
        ["limits"] = new JsonObject { ["memory"] = "1Gi" },
    };

    [Value("Labels of the nodes that a gateway may run on.")]
    public Dictionary<string, string> NodeSelector { get; set; } = [];

    [Value("Taints that a gateway tolerates (core/v1 Toleration).")]
    public IReadOnlyList<JsonObject> Tolerations { get; set; } = [];

    [Value("Affinity (core/v1 Affinity). Empty: away from the other gateways where possible.")]
    public JsonObject Affinity { get; set; } = [];

    [Value("Name of a PriorityClass.", ValueForm.Subdomain, Optional = true)]
    public string PriorityClassName { get; set; } = "";

    [Value("More annotations of the pods.")]
    public Dictionary<string, string> PodAnnotations { get; set; } = [];

    [Value("More labels of the pods.")]
    public Dictionary<string, string> PodLabels { get; set; } = [];

    [Value("How much the gateway logs.", Allowed = ["debug", "information", "warning", "error"])]
    public string LogLevel { get; set; } = "information";

    [Value("Agents beside workloads: what leaves from a workload's pod (proxy-via) does by one.")]
    public AgentValues Agents { get; set; } = new();

    [Value("Settings of every client; what a laptop sets itself wins. Changes reach connected laptops at once.")]
    public ClientValues Client { get; set; } = new();

    [Value("What every client is told of the cluster.")]
    public ClusterValues Cluster { get; set; } = new();
}

internal sealed class AgentValues
{
    [Value("The namespaces in whose pods the gateway may place an agent, by a Role in each; they must exist. It is a powerful right (whoever has it can act as any service account there). Empty: none.", ValueForm.Label)]
    public IReadOnlyList<string> Namespaces { get; set; } = [];
}

internal sealed class ImageValues
{
    [Value("Its name without the tag.", ValueForm.ImageRepository)]
    public string Repository { get; set; } = "fairlead/fairlead";

    [Value("Its tag.", ValueForm.ImageTag)]
    public string Tag { get; set; } = "dev";

    [Value("Its digest, which counts instead of the tag.", ValueForm.ImageDigest, Optional = true)]
    public string Digest { get; set; } = "";

    [Value("When nodes pull it.", Allowed = ["Always", "IfNotPresent", "Never"])]
    public string PullPolicy { get; set; } = "IfNotPresent";

    [Value("Names of Secrets in the gateway's namespace to pull it with.", ValueForm.Subdomain)]
    public IReadOnlyList<string> PullSecrets { get; set; } = [];
}

internal sealed class ServiceValues
{
    [Value("How it is exposed.", Allowed = ["ClusterIP", "NodePort", "LoadBalancer"])]
    public string Type { get; set; } = "NodePort";

    [Value("For a cloud's load balancer, say.")]
    public Dictionary<string, string> Annotations { get; set; } = [];

    [Value("Port of the API, TLS.", Min = 1, Max = 65535)]
    public int ApiPort { get; set; } = 8443;

    [Value("Port of the direct carrier, TLS.", Min = 1, Max = 65535)]
    public int DataPort { get; set; } = 8444;

    [Value("Ports of the nodes, for a type that has them.")]
    public NodePortValues NodePorts { get; set; } = new();

    [Value("Whose load balancer it should be (loadBalancerClass); empty: the cluster's default.")]
    public string LoadBalancerClass { get; set; } = "";

    [Value("The address that a load balancer should have.", ValueForm.Address, Optional = true)]
    public string LoadBalancerIP { get; set; } = "";

    [Value("The only networks that a load balancer lets in.", ValueForm.Network)]
    public IReadOnlyList<string> LoadBalancerSourceRanges { get; set; } = [];
}

internal sealed class NodePortValues
{
    [Value("Of the API; 0 lets the cluster choose.", Min = 0, Max = 65535)]
    public int Api { get; set; } = 30443;

    [Value("Of the direct carrier; 0 lets the cluster choose.", Min = 0, Max = 65535)]
    public int Data { get; set; } = 30444;
}

internal sealed class IngressValues
{
    [Value("Whether there is one.")]
    public bool Enabled { get; set; }

    [Value("Its host name; laptops reach port 443 of it.", ValueForm.Subdomain, Optional = true)]
    public string Host { get; set; } = "";

    [Value("Name of the IngressClass; empty: the cluster's default.", ValueForm.Subdomain, Optional = true)]
    public string ClassName { get; set; } = "";

    [Value("For its controller, which has to speak TLS to the gateway: nginx.ingress.kubernetes.io/backend-protocol: HTTPS, say.")]
    public Dictionary<string, string> Annotations { get; set; } = [];

    [Value("Name of the Secret with the host's certificate; empty: the controller's default certificate.", ValueForm.Subdomain, Optional = true)]
    public string TlsSecretName { get; set; } = "";
}

internal sealed class NetworkPolicyValues
{
    [Value("Whether there is one.")]
    public bool Enabled { get; set; }
}

internal sealed class ClientValues
{
    [Value("What is routed into the cluster.")]
    public RoutingValues Routing { get; set; } = new();

    [Value("Names that the cluster's DNS is asked for.")]
    public DnsValues Dns { get; set; } = new();

    [Value("How names get to addresses on laptops; empty: each laptop's own default.", Allowed = ["", "hosts", "dns"])]
    public string Resolver { get; set; } = "";
}

internal sealed class RoutingValues
{
    [Value("Subnets of the cluster that win over a route that a laptop has already.", ValueForm.Network)]
    public IReadOnlyList<string> AllowConflictingSubnets { get; set; } = [];

    [Value("Subnets that are routed into the cluster besides its own.", ValueForm.Network)]
    public IReadOnlyList<string> AlsoProxySubnets { get; set; } = [];

    [Value("Subnets that are never routed into the cluster.", ValueForm.Network)]
    public IReadOnlyList<string> NeverProxySubnets { get; set; } = [];
}

internal sealed class DnsValues
{
    [Value("Domain suffixes, besides the cluster's own, that the cluster's DNS is asked for.", ValueForm.Domain)]
    public IReadOnlyList<string> IncludeSuffixes { get; set; } = [];

    [Value("Domain suffixes that the cluster's DNS is never asked for.", ValueForm.Domain)]
    public IReadOnlyList<string> ExcludeSuffixes { get; set; } = [];
}

internal sealed class ClusterValues
{
    [Value("Addresses that stand for those of the cluster that conflict with a laptop's; empty: each laptop's own default.", ValueForm.VirtualSubnet, Optional = true)]
    public string VirtualIPSubnet { get; set; } = "";

    [Value("Where ClusterIPs come from. Empty: what the API server says.", ValueForm.Network)]
    public IReadOnlyList<string> ServiceSubnets { get; set; } = [];

    [Value("Where pods have their addresses. Empty: what the nodes say, and around the pods that have others.", ValueForm.Network)]
    public IReadOnlyList<string> PodSubnets { get; set; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(GatewayValues))]
internal sealed partial class ValuesJson : JsonSerializerContext;
