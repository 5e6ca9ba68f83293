using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Fairlead.Kubernetes;

/// <summary>
/// How to reach one API server and who to be there. Made by <see cref="KubeConfig.Load"/> or <see cref="InCluster()"/>, or by hand.
/// Immutable; the certificates in it are shared by every client made from it and live as long as the process.
/// </summary>
public sealed record ClusterConnection(Uri Server)
{
    /// <summary>The namespace of the context (or of the pod, in cluster): used where an object that is namespaced names none.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>Name of the kubeconfig context that this came from; null in cluster or by hand.</summary>
    public string? Context { get; init; }

    /// <summary>The only roots that the server's certificate may chain to; null means the system's.</summary>
    public X509Certificate2Collection? CertificateAuthorities { get; init; }

    /// <summary>Accept any server certificate. Only because a kubeconfig asked for it.</summary>
    public bool SkipTlsVerify { get; init; }

    /// <summary>The name to verify in the server's certificate (and to send as SNI) instead of the host of <see cref="Server"/>.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>HTTP, HTTPS or SOCKS5 proxy; null means the environment's (HTTPS_PROXY, NO_PROXY).</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Reads the environment where <see cref="Proxy"/> is null and the server is HTTPS; null leaves that to .NET, to whom NO_PROXY can't name networks.</summary>
    public IWebProxy? EnvironmentProxy { get; init; }

    public bool DisableCompression { get; init; }

    /// <summary>User to impersonate, as kubectl's <c>--as</c>.</summary>
    public string? ImpersonateUser { get; init; }

    /// <summary>Group to impersonate, as kubectl's <c>--as-group</c>. One: several need a header line each, which HttpClient can't send.</summary>
    public string? ImpersonateGroup { get; init; }

    /// <summary>A client certificate with its key, from PEM.</summary>
    public SslStreamCertificateContext? ClientCertificate
    {
        init => Credentials = new FixedCredentials(new Credential(Certificate: value));
    }

    /// <summary>A bearer token that never changes.</summary>
    public string? BearerToken
    {
        init => Credentials = new FixedCredentials(new Credential(Token: value));
    }

    internal ICredentialSource Credentials { get; init; } = FixedCredentials.Anonymous;

    /// <summary>
    /// The connection of a pod, from its environment and the mounted service account. The token is read again as it rotates.
    /// </summary>
    /// <exception cref="KubeConfigException">This process does not run in a pod, or the pod has no service account token.</exception>
    public static ClusterConnection InCluster() => InClusterConfig.Load(InClusterConfig.ServiceAccountDirectory, Environment.GetEnvironmentVariable);
}
