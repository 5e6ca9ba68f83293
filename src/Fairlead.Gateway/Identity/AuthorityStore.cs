using System.Security.Cryptography;
using System.Text;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Gateway.Identity;

/// <summary>Keeps the space's authority in its Secret. The first gateway makes it; of several at once one wins and the others take its.</summary>
internal static class AuthorityStore
{
    private const string CertificateKey = "tls.crt";
    private const string PrivateKey = "tls.key";

    public static async Task<SpaceAuthority> LoadOrCreateAsync(KubernetesClient client, TimeProvider time, CancellationToken cancellationToken)
    {
        var secret = await client.GetAsync(Resources.Secrets, client.Connection.Namespace, ClusterObjects.AuthoritySecret, cancellationToken)
            ?? await CreateAsync(client, time, cancellationToken);
        try
        {
            return SpaceAuthority.Load(Text(secret, CertificateKey), Text(secret, PrivateKey), time);
        }
        catch (Exception e) when (e is CryptographicException or KeyNotFoundException or ArgumentException)
        {
            throw new FairleadException(
                ErrorCategory.Failed,
                "authority-unusable",
                $"The Secret {client.Connection.Namespace}/{ClusterObjects.AuthoritySecret} holds no usable certificate authority",
                e.Message,
                "Restore it from a backup, or delete it to begin a new space (everybody has to join again).",
                e);
        }
    }

    private static async Task<Secret> CreateAsync(KubernetesClient client, TimeProvider time, CancellationToken cancellationToken)
    {
        var (certificate, key) = SpaceAuthority.Generate(time);
        var secret = new Secret
        {
            Metadata =
            {
                Namespace = client.Connection.Namespace,
                Name = ClusterObjects.AuthoritySecret,
                Labels = new() { [ClusterObjects.ManagedByLabel] = ClusterObjects.Gateway },
            },
            Type = "kubernetes.io/tls",
            Data = new() { [CertificateKey] = Encoding.ASCII.GetBytes(certificate), [PrivateKey] = Encoding.ASCII.GetBytes(key) },
        };
        try
        {
            return await client.CreateAsync(Resources.Secrets, secret, cancellationToken);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            return await client.GetAsync(Resources.Secrets, client.Connection.Namespace, ClusterObjects.AuthoritySecret, cancellationToken)
                ?? throw new KubernetesException(404, "NotFound", "the authority's Secret was deleted while the gateway started", inner: e);
        }
    }

    private static string Text(Secret secret, string key) => Encoding.ASCII.GetString(secret.Data[key]);
}
