using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Fairlead.Sandbox.ApiServer.Access;

/// <summary>The cluster's certificate authority and what it signs. Keys are ECDSA P-256 and live in memory.</summary>
internal sealed class ClusterCertificates : IDisposable
{
    /// <summary>A sandbox lives for days at most; nothing renews these.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);

    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");
    private static readonly Oid ClientAuthentication = new("1.3.6.1.5.5.7.3.2");

    private readonly X509Certificate2 authority;
    private readonly TimeProvider time;

    public ClusterCertificates(TimeProvider time)
    {
        this.time = time;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=fairlead-sandbox-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, true, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        authority = request.CreateSelfSigned(NotBefore, NotAfter);
    }

    public string AuthorityPem => authority.ExportCertificatePem();

    private DateTimeOffset NotBefore => time.GetUtcNow().AddMinutes(-5); // Clocks differ a little.

    private DateTimeOffset NotAfter => time.GetUtcNow() + Lifetime;

    /// <param name="names">Host names and IP addresses that clients reach the server by.</param>
    public X509Certificate2 IssueServer(IEnumerable<string> names)
    {
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names.Distinct())
        {
            if (IPAddress.TryParse(name, out var address))
            {
                alternatives.AddIpAddress(address);
            }
            else
            {
                alternatives.AddDnsName(name);
            }
        }

        return Issue(new X500DistinguishedName("CN=kube-apiserver"), ServerAuthentication, alternatives.Build());
    }

    /// <summary>A certificate that the API server takes for <paramref name="user"/> in <paramref name="groups"/>.</summary>
    public X509Certificate2 IssueClient(string user, params IReadOnlyList<string> groups)
    {
        var subject = new X500DistinguishedNameBuilder();
        foreach (var group in groups)
        {
            subject.AddOrganizationName(group);
        }

        subject.AddCommonName(user);
        return Issue(subject.Build(), ClientAuthentication, alternatives: null);
    }

    /// <summary>The user that a certificate stands for; null when it isn't a valid client certificate of this cluster.</summary>
    public User? Identify(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(ClientAuthentication);
        if (!chain.Build(certificate))
        {
            return null;
        }

        var parts = certificate.SubjectName.EnumerateRelativeDistinguishedNames()
            .Where(part => !part.HasMultipleElements)
            .Select(part => (Type: part.GetSingleElementType().Value, Value: part.GetSingleElementValue()))
            .ToArray();
        var name = parts.FirstOrDefault(part => part.Type == "2.5.4.3").Value;
        var groups = parts.Where(part => part.Type == "2.5.4.10").Select(part => part.Value).OfType<string>();
        return string.IsNullOrEmpty(name) ? null : new User(name, [.. groups, User.AuthenticatedGroup]);
    }

    /// <summary>A kubeconfig with everything inline.</summary>
    public string Kubeconfig(Uri server, X509Certificate2 client)
    {
        using var key = client.GetECDsaPrivateKey()!;
        return $"""
            apiVersion: v1
            kind: Config
            clusters:
            - name: fairlead-sandbox
              cluster:
                server: {server.GetLeftPart(UriPartial.Authority)}
                certificate-authority-data: {Encode(AuthorityPem)}
            users:
            - name: admin
              user:
                client-certificate-data: {Encode(client.ExportCertificatePem())}
                client-key-data: {Encode(key.ExportPkcs8PrivateKeyPem())}
            contexts:
            - name: fairlead-sandbox
              context:
                cluster: fairlead-sandbox
                user: admin
            current-context: fairlead-sandbox

            """;
    }

    public void Dispose() => authority.Dispose();

    private X509Certificate2 Issue(X500DistinguishedName subject, Oid usage, X509Extension? alternatives)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([usage], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        if (alternatives is not null)
        {
            request.CertificateExtensions.Add(alternatives);
        }

        using var signed = request.Create(authority, NotBefore, new DateTimeOffset(authority.NotAfter), RandomNumberGenerator.GetBytes(16));
        return signed.CopyWithPrivateKey(key);
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
}
