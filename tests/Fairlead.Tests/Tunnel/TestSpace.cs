using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel;

/// <summary>A CA, a gateway's certificate and clients' certificates, as a gateway makes them.</summary>
internal sealed class TestSpace : IDisposable
{
    public const string Uid = "5a0c8e6e-0000-4000-8000-000000000001";

    private readonly List<X509Certificate2> _made = [];

    public TestSpace(DateTimeOffset? serverNotBefore = null, string? serverName = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Fairlead test CA", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        Authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddYears(-2), DateTimeOffset.UtcNow.AddYears(10));
        var from = serverNotBefore ?? DateTimeOffset.UtcNow.AddMinutes(-5);
        Server = Issue("CN=gateway", serverName ?? GatewayApi.ServerName(Uid), "1.3.6.1.5.5.7.3.1", from, from.AddDays(1));
        ServerContext = SslStreamCertificateContext.Create(Server, null, offline: true);
        Client = IssueClient("alice");
    }

    public X509Certificate2 Authority { get; }

    public X509Certificate2 Server { get; }

    public SslStreamCertificateContext ServerContext { get; }

    public X509Certificate2 Client { get; set; }

    public HashSet<string> Revoked { get; } = [];

    public TunnelTls Tls => new(Uid, Authority, () => Client);

    /// <summary>Of one replica: its pod's name is what tells it from others.</summary>
    public X509Certificate2 IssueServer(string pod) => Issue($"CN={pod}", GatewayApi.ServerName(Uid), "1.3.6.1.5.5.7.3.1", DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));

    /// <param name="at">When it was issued, for a day; null: now.</param>
    public X509Certificate2 IssueClient(string name, DateTimeOffset? at = null) =>
        Issue($"CN=invite:{name}, O={Uid}", null, "1.3.6.1.5.5.7.3.2", (at ?? DateTimeOffset.UtcNow).AddMinutes(-5), (at ?? DateTimeOffset.UtcNow).AddDays(1));

    public PeerIdentity? Identify(X509Certificate2 certificate)
    {
        using var chain = new X509Chain { ChainPolicy = TunnelTls.PinnedPolicy(Authority, TimeProvider.System) };
        var name = certificate.GetNameInfo(X509NameType.SimpleName, false);
        return chain.Build(certificate) && !Revoked.Contains(name) ? new PeerIdentity(name, new DateTimeOffset(certificate.NotBefore), new DateTimeOffset(certificate.NotAfter)) : null;
    }

    public void Dispose()
    {
        Authority.Dispose();
        _made.ForEach(c => c.Dispose());
    }

    private X509Certificate2 Issue(string subject, string? dnsName, string usage, DateTimeOffset from, DateTimeOffset until)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        if (dnsName is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(dnsName);
            request.CertificateExtensions.Add(names.Build());
        }

        using var bare = request.Create(Authority, from, until, RandomNumberGenerator.GetBytes(8));
        using var keyed = bare.CopyWithPrivateKey(key);
        var made = X509CertificateLoader.LoadPkcs12(keyed.Export(X509ContentType.Pkcs12), null);
        _made.Add(made);
        return made;
    }
}
