using System.Text.Json.Nodes;

namespace Fairlead.Kubernetes;

/// <summary>When a plugin may talk to the person at the terminal.</summary>
internal enum InteractiveMode
{
    Never,
    IfAvailable,
    Always,
}

/// <summary>A checked <c>exec</c> section of a kubeconfig user.</summary>
/// <param name="Cluster">What the plugin is told about the cluster, null unless it asked (<c>provideClusterInfo</c>).</param>
internal sealed record ExecPluginOptions(
    string User,
    string ApiVersion,
    string Command,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    InteractiveMode Interactive,
    string? InstallHint,
    JsonObject? Cluster)
{
    private const string V1 = "client.authentication.k8s.io/v1";
    private const string V1Beta1 = "client.authentication.k8s.io/v1beta1";

    public static ExecPluginOptions From(NamedUser entry, ClusterEntry cluster, ClusterConnection connection)
    {
        var what = $"the exec plugin of user \"{entry.Name}\" can't be used";
        var exec = entry.User.Exec!;
        if (string.IsNullOrEmpty(exec.Command))
        {
            throw new KubeConfigException(what, "it names no command", "Correct the kubeconfig.");
        }

        if (exec.ApiVersion is not (V1 or V1Beta1))
        {
            throw new KubeConfigException(what, $"its apiVersion \"{exec.ApiVersion}\" is not known", $"Use {V1} (or {V1Beta1}).");
        }

        var interactive = exec.InteractiveMode switch
        {
            "Never" => InteractiveMode.Never,
            "IfAvailable" => InteractiveMode.IfAvailable,
            "Always" => InteractiveMode.Always,
            null or "" when exec.ApiVersion == V1Beta1 => InteractiveMode.IfAvailable,
            _ => throw new KubeConfigException(what, $"its interactiveMode \"{exec.InteractiveMode}\" is not known",
                "Use Never, IfAvailable or Always."),
        };

        var environment = new Dictionary<string, string>();
        foreach (var variable in exec.Env ?? [])
        {
            if (!string.IsNullOrEmpty(variable.Name))
            {
                environment[variable.Name] = variable.Value ?? "";
            }
        }

        // A bare name is looked up in PATH; a path is relative to the kubeconfig.
        var command = exec.Command.Contains('/', StringComparison.Ordinal) || exec.Command.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? KubeConfig.Resolve(entry, exec.Command)!
            : exec.Command;
        return new ExecPluginOptions(entry.Name, exec.ApiVersion, command, exec.Args ?? [], environment, interactive, exec.InstallHint,
            exec.ProvideClusterInfo ? Describe(cluster, connection) : null);
    }

    private static JsonObject Describe(ClusterEntry cluster, ClusterConnection connection)
    {
        var description = new JsonObject { ["server"] = cluster.Server };
        if (connection.TlsServerName is { } name)
        {
            description["tls-server-name"] = name;
        }

        if (connection.SkipTlsVerify)
        {
            description["insecure-skip-tls-verify"] = true;
        }

        if (connection.CertificateAuthorities is { } authorities)
        {
            var pem = string.Join('\n', authorities.Select(c => c.ExportCertificatePem())) + "\n";
            description["certificate-authority-data"] = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(pem));
        }

        if (connection.Proxy is { } proxy)
        {
            description["proxy-url"] = proxy.OriginalString;
        }

        if (cluster.Extensions?.Find(e => e.Name == "client.authentication.k8s.io/exec")?.Extension is { } configuration)
        {
            description["config"] = configuration.DeepClone();
        }

        return description;
    }
}
