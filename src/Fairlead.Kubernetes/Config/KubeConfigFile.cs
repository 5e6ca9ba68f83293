using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Fairlead.Kubernetes;

/// <summary>A kubeconfig as written (kubernetes.io/docs/reference/config-api/kubeconfig.v1). Unknown fields are ignored.</summary>
internal sealed class KubeConfigFile
{
    [JsonPropertyName("current-context")]
    public string? CurrentContext { get; set; }

    [JsonPropertyName("clusters")]
    public List<NamedCluster> Clusters { get; set => field = value ?? []; } = [];

    [JsonPropertyName("contexts")]
    public List<NamedContext> Contexts { get; set => field = value ?? []; } = [];

    [JsonPropertyName("users")]
    public List<NamedUser> Users { get; set => field = value ?? []; } = [];
}

internal abstract class NamedEntry
{
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    /// <summary>Directory of the file that the entry came from: relative paths in it start there.</summary>
    [JsonIgnore]
    public string Directory { get; set; } = "";
}

internal sealed class NamedCluster : NamedEntry
{
    [JsonPropertyName("cluster")]
    public ClusterEntry Cluster { get; set => field = value ?? new(); } = new();
}

internal sealed class ClusterEntry
{
    [JsonPropertyName("server")]
    public string? Server { get; set; }

    [JsonPropertyName("tls-server-name")]
    public string? TlsServerName { get; set; }

    [JsonPropertyName("insecure-skip-tls-verify")]
    public bool InsecureSkipTlsVerify { get; set; }

    [JsonPropertyName("certificate-authority")]
    public string? CertificateAuthority { get; set; }

    [JsonPropertyName("certificate-authority-data")]
    public string? CertificateAuthorityData { get; set; }

    [JsonPropertyName("proxy-url")]
    public string? ProxyUrl { get; set; }

    [JsonPropertyName("disable-compression")]
    public bool DisableCompression { get; set; }

    [JsonPropertyName("extensions")]
    public List<NamedExtension>? Extensions { get; set; }
}

internal sealed class NamedExtension
{
    [JsonPropertyName("name")]
    public string? Name { get; set; }

    [JsonPropertyName("extension")]
    public JsonNode? Extension { get; set; }
}

internal sealed class NamedContext : NamedEntry
{
    [JsonPropertyName("context")]
    public ContextEntry Context { get; set => field = value ?? new(); } = new();
}

internal sealed class ContextEntry
{
    [JsonPropertyName("cluster")]
    public string? Cluster { get; set; }

    [JsonPropertyName("user")]
    public string? User { get; set; }

    [JsonPropertyName("namespace")]
    public string? Namespace { get; set; }
}

internal sealed class NamedUser : NamedEntry
{
    [JsonPropertyName("user")]
    public UserEntry User { get; set => field = value ?? new(); } = new();
}

internal sealed class UserEntry
{
    [JsonPropertyName("client-certificate")]
    public string? ClientCertificate { get; set; }

    [JsonPropertyName("client-certificate-data")]
    public string? ClientCertificateData { get; set; }

    [JsonPropertyName("client-key")]
    public string? ClientKey { get; set; }

    [JsonPropertyName("client-key-data")]
    public string? ClientKeyData { get; set; }

    [JsonPropertyName("token")]
    public string? Token { get; set; }

    [JsonPropertyName("tokenFile")]
    public string? TokenFile { get; set; }

    [JsonPropertyName("username")]
    public string? Username { get; set; }

    [JsonPropertyName("password")]
    public string? Password { get; set; }

    [JsonPropertyName("as")]
    public string? As { get; set; }

    [JsonPropertyName("as-groups")]
    public List<string>? AsGroups { get; set; }

    [JsonPropertyName("auth-provider")]
    public JsonNode? AuthProvider { get; set; }

    [JsonPropertyName("exec")]
    public ExecEntry? Exec { get; set; }
}

internal sealed class ExecEntry
{
    [JsonPropertyName("apiVersion")]
    public string? ApiVersion { get; set; }

    [JsonPropertyName("command")]
    public string? Command { get; set; }

    [JsonPropertyName("args")]
    public List<string>? Args { get; set; }

    [JsonPropertyName("env")]
    public List<ExecVariable>? Env { get; set; }

    [JsonPropertyName("installHint")]
    public string? InstallHint { get; set; }

    [JsonPropertyName("provideClusterInfo")]
    public bool ProvideClusterInfo { get; set; }

    [JsonPropertyName("interactiveMode")]
    public string? InteractiveMode { get; set; }
}

internal sealed class ExecVariable
{
    [JsonPropertyName("name")]
    public string? Name { get; set; }

    [JsonPropertyName("value")]
    public string? Value { get; set; }
}

[JsonSerializable(typeof(KubeConfigFile))]
internal sealed partial class KubeConfigJson : JsonSerializerContext;
