using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Fairlead.Tests.Kubernetes;

/// <summary>A certificate authority made for the test run, with a server and a client certificate.</summary>
internal sealed class TestCertificates
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), To = new(2040, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static readonly TestCertificates Instance = new();

    private readonly X509Certificate2 _authority;

    public TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test-ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _authority = request.CreateSelfSigned(From, To);
        AuthorityPem = _authority.ExportCertificatePem();
        var (serverPem, serverKey) = Issue("CN=server", "kubernetes.default");
        Server = X509CertificateLoader.LoadPkcs12(X509Certificate2.CreateFromPem(serverPem, serverKey).Export(X509ContentType.Pkcs12), null);
        (ClientPem, ClientKeyPem) = Issue("CN=alice,O=team", null);
    }

    public string AuthorityPem { get; }

    /// <summary>For 127.0.0.1 and kubernetes.default.</summary>
    public X509Certificate2 Server { get; }

    public string ClientPem { get; }

    public string ClientKeyPem { get; }

    public (string Certificate, string Key) Issue(string subject, string? dnsName)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        if (dnsName is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(dnsName);
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
        }

        using var certificate = request.Create(_authority, From, To.AddDays(-1), RandomNumberGenerator.GetBytes(8));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
