namespace Fairlead.Kubernetes;

/// <summary>What every pod is told about its API server (kubernetes.io/docs/tasks/run-application/access-api-from-pod).</summary>
internal static class InClusterConfig
{
    public const string ServiceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static ClusterConnection Load(string directory, Func<string, string?> environment)
    {
        const string What = "no in-cluster configuration";
        var host = environment("KUBERNETES_SERVICE_HOST");
        var port = environment("KUBERNETES_SERVICE_PORT");
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
        {
            throw new KubeConfigException(What, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is not a pod",
                "Outside a cluster name a kubeconfig with --kubeconfig or $KUBECONFIG.");
        }

        var token = Path.Combine(directory, "token");
        if (!File.Exists(token))
        {
            throw new KubeConfigException(What, $"there is no {token}",
                "Let the pod mount its service account token (automountServiceAccountToken: true).");
        }

        var authority = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        if (!Uri.TryCreate($"https://{authority}:{port}", UriKind.Absolute, out var server))
        {
            throw new KubeConfigException(What, $"KUBERNETES_SERVICE_HOST={host} and KUBERNETES_SERVICE_PORT={port} make no address",
                "Check the pod's environment.");
        }

        var namespaceFile = Path.Combine(directory, "namespace");
        return new ClusterConnection(server)
        {
            Namespace = File.Exists(namespaceFile) ? File.ReadAllText(namespaceFile).Trim() : "default",
            CertificateAuthorities = Pem.Certificates(new PemSource("the pod's service account", Path.Combine(directory, "ca.crt"), Data: null)),
            Credentials = new TokenFileCredentials(token),
        };
    }
}
