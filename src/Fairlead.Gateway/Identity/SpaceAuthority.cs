using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>
/// The space's certificate authority: an ECDSA P-256 key and its self-signed certificate, whose organization is the space's uid, so that
/// the uid can't differ between replicas. Owns the certificate.
/// </summary>
internal sealed class SpaceAuthority : IDisposable
{
    /// <summary>Certificates are valid from a little before they are made, for laptops whose clock is late.</summary>
    public static readonly TimeSpan Backdate = TimeSpan.FromMinutes(5);

    public static readonly TimeSpan ServerLifetime = TimeSpan.FromDays(90);

    /// <summary>RFC 5280 appendix A, ub-common-name; the end of a pod's name is what differs.</summary>
    private const int MaxCommonName = 64;

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");
    private static readonly Oid ClientAuthentication = new("1.3.6.1.5.5.7.3.2");

    private readonly TimeProvider time;
    private readonly ECDsa key;

    private SpaceAuthority(X509Certificate2 certificate, ECDsa privateKey, TimeProvider clock)
    {
        Certificate = certificate;
        key = privateKey;
        time = clock;
        SpaceUid = DistinguishedName.Read(certificate.SubjectName).Organization ?? throw new CryptographicException("The authority's certificate names no space.");
    }

    public X509Certificate2 Certificate { get; }

    public string SpaceUid { get; }

    public string CertificatePem => Certificate.ExportCertificatePem();

    /// <summary>Makes a new authority for a new space.</summary>
    /// <returns>The certificate and the PKCS #8 key, PEM.</returns>
    public static (string Certificate, string Key) Generate(TimeProvider time)
    {
        var uid = Guid.NewGuid().ToString();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(DistinguishedName.Build($"fairlead space {uid}", uid, null), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - Backdate, now + Lifetime);
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    /// <exception cref="CryptographicException">It is not a P-256 authority with its key.</exception>
    public static SpaceAuthority Load(string certificatePem, string keyPem, TimeProvider time)
    {
        var certificate = X509Certificate2.CreateFromPem(certificatePem);
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(keyPem);
            using var certified = certificate.GetECDsaPublicKey();
            if (certified is null || !certified.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
            {
                throw new CryptographicException("The authority's key does not belong to its certificate.");
            }

            return new SpaceAuthority(certificate, key, time);
        }
        catch
        {
            key.Dispose();
            certificate.Dispose();
            throw;
        }
    }

    /// <summary>A server certificate with a key of its own, in memory only, for one replica.</summary>
    /// <param name="pod">The replica's pod: laptops tell replicas apart by it, whatever way they come.</param>
    public X509Certificate2 IssueServer(string pod)
    {
        using var serverKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(GatewayApi.ServerName(SpaceUid));
        var now = time.GetUtcNow();
        using var certificate = Sign(
            new PublicKey(serverKey), DistinguishedName.Build(pod.Length > MaxCommonName ? pod[^MaxCommonName..] : pod, SpaceUid, null), names.Build(), ServerAuthentication, now - Backdate, now + ServerLifetime);
        return certificate.CopyWithPrivateKey(serverKey);
    }

    /// <summary>A client certificate. What the request says of names and extensions plays no part: only its key does.</summary>
    /// <param name="issued">When it counts as issued; whole seconds, as certificates hold no more.</param>
    public X509Certificate2 IssueClient(PublicKey publicKey, string name, string? group, DateTimeOffset issued, TimeSpan lifetime)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri($"fairlead://{SpaceUid}/invite/{name}"));
        return Sign(publicKey, DistinguishedName.Build("invite:" + name, SpaceUid, group), names.Build(), ClientAuthentication, issued - Backdate, issued + lifetime);
    }

    /// <summary>A client certificate of a Kubernetes user.</summary>
    public X509Certificate2 IssueClient(PublicKey publicKey, KubernetesAccount account, DateTimeOffset issued, TimeSpan lifetime) => Sign(
        publicKey,
        DistinguishedName.Build(Subjects.KubernetesPrefix + account.Name, SpaceUid, null),
        NamesOf(SpaceUid, account),
        ClientAuthentication,
        issued - Backdate,
        issued + lifetime,
        AccountExtension.Make(account));

    /// <summary>A client certificate of the agent in a pod: for nothing but to be an exit.</summary>
    public X509Certificate2 IssueAgent(PublicKey publicKey, string podUid, DateTimeOffset issued, TimeSpan lifetime)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri($"fairlead://{SpaceUid}/agent/{podUid}"));
        return Sign(publicKey, DistinguishedName.Build(ClientCertificates.AgentPrefix + podUid, SpaceUid, null), names.Build(), ClientAuthentication, issued - Backdate, issued + lifetime);
    }

    /// <summary>The alternative names of a Kubernetes user's certificate.</summary>
    public static X509Extension NamesOf(string spaceUid, KubernetesAccount account)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddUri(new Uri($"fairlead://{spaceUid}/k8s/{Uri.EscapeDataString(account.Name)}"));
        return names.Build();
    }

    public void Dispose()
    {
        key.Dispose();
        Certificate.Dispose();
    }

    private X509Certificate2 Sign(PublicKey publicKey, X500DistinguishedName subject, X509Extension names, Oid usage, DateTimeOffset notBefore, DateTimeOffset notAfter, X509Extension? more = null)
    {
        var request = new CertificateRequest(subject, publicKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([usage], critical: false));
        request.CertificateExtensions.Add(names);
        if (more is not null)
        {
            request.CertificateExtensions.Add(more);
        }

        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));

        // RFC 5280 §4.1.2.2: positive, at most 20 octets.
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40);
        return request.Create(Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(key), notBefore, notAfter, serial);
    }
}

/// <summary>The three attributes that Fairlead's certificates have: who, in which space, of which group.</summary>
internal sealed record DistinguishedName(string? CommonName, string? Organization, string? Unit)
{
    private const string CommonNameOid = "2.5.4.3";
    private const string OrganizationOid = "2.5.4.10";
    private const string UnitOid = "2.5.4.11";

    public static X500DistinguishedName Build(string commonName, string organization, string? unit)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCommonName(commonName);
        builder.AddOrganizationName(organization);
        if (unit is not null)
        {
            builder.AddOrganizationalUnitName(unit);
        }

        return builder.Build();
    }

    /// <summary>An attribute that occurs twice is as good as none: nobody may choose which one counts.</summary>
    public static DistinguishedName Read(X500DistinguishedName name)
    {
        var values = name.EnumerateRelativeDistinguishedNames().Where(r => !r.HasMultipleElements)
            .Select(r => (Oid: r.GetSingleElementType().Value, Value: r.GetSingleElementValue())).ToList();
        return new DistinguishedName(Single(CommonNameOid), Single(OrganizationOid), Single(UnitOid));

        string? Single(string oid) => values.Where(v => v.Oid == oid).Select(v => v.Value).ToList() is [var only] ? only : null;
    }
}
