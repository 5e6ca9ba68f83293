using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Testbed;

/// <summary>The space's certificate authority, read from its Secret: for certificates that the gateway would not issue, or not that many.</summary>
public sealed class SpaceAuthority(X509Certificate2 certificate) : IDisposable
{
    private static readonly Oid Server = new("1.3.6.1.5.5.7.3.1");
    private static readonly Oid Client = new("1.3.6.1.5.5.7.3.2");

    public string SpaceUid { get; } = certificate.SubjectName.EnumerateRelativeDistinguishedNames()
        .Single(name => name.GetSingleElementType().Value == "2.5.4.10").GetSingleElementValue()!;

    public string CertificatePem => certificate.ExportCertificatePem();

    /// <summary>Certificate and key, PEM.</summary>
    public string Pem => $"{CertificatePem}\n{certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()}\n";

    /// <param name="pem">As <see cref="Pem"/>.</param>
    public static SpaceAuthority Parse(string pem) => new(X509Certificate2.CreateFromPem(pem, pem));

    public static async Task<SpaceAuthority> LoadAsync(Cluster cluster)
    {
        var data = JsonDocument.Parse((await cluster.KubectlAsync("get", "secret", "fairlead-ca", "-n", "fairlead", "-o", "json")).Text).RootElement.GetProperty("data");
        string Text(string key) => Encoding.ASCII.GetString(data.GetProperty(key).GetBytesFromBase64());
        return Parse(Text("tls.crt") + "\n" + Text("tls.key"));
    }

    /// <summary>As an invite of a group gives it, for two hours.</summary>
    public X509Certificate2 IssueClient(string user, string group)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new X500DistinguishedNameBuilder();
        name.AddCommonName("invite:" + user);
        name.AddOrganizationName(SpaceUid);
        name.AddOrganizationalUnitName(group);
        var now = TimeProvider.System.GetUtcNow();
        using var issued = Issue(name.Build(), key, Client, now.AddMinutes(-5), now.AddHours(2));
        return issued.CopyWithPrivateKey(key);
    }

    /// <summary>For the name that gateways of the space prove themselves with.</summary>
    public X509Certificate2 IssueServer(string spaceUid)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(GatewayApi.ServerName(spaceUid));
        var now = TimeProvider.System.GetUtcNow();
        using var issued = Issue(new X500DistinguishedName("CN=fairlead-gateway"), key, Server, now.AddMinutes(-5), now.AddHours(1), names.Build());
        return issued.CopyWithPrivateKey(key);
    }

    /// <summary>Certificate and key, PEM, for the same subject and key but until another time.</summary>
    public string Reissue(string identityPem, DateTimeOffset notAfter)
    {
        using var old = X509Certificate2.CreateFromPem(identityPem, identityPem);
        using var key = old.GetECDsaPrivateKey()!;
        using var issued = Issue(old.SubjectName, key, Client, new DateTimeOffset(certificate.NotBefore), notAfter);
        return issued.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n";
    }

    /// <summary>Puts a certificate that ran out a minute ago in the place of the one below <paramref name="state"/>, which nobody uses at the moment.</summary>
    public async Task ExpireAsync(Laptop laptop, string state)
    {
        var identity = (await laptop.Host.ShellAsync($"echo {state}/*/*/identity.pem")).Text;
        var past = TimeProvider.System.GetUtcNow().AddMinutes(-1);
        await laptop.Host.WriteAsync(identity, Reissue(await laptop.Host.ReadAsync(identity), past));
        (await laptop.Host.ShellAsync($"sed -Ei 's/(\"renewAfter\": *\")[^\"]*/\\1{past:O}/I' $(dirname {identity})/space.json")).ShouldSucceed();
    }

    public void Dispose() => certificate.Dispose();

    private X509Certificate2 Issue(X500DistinguishedName subject, ECDsa key, Oid usage, DateTimeOffset notBefore, DateTimeOffset notAfter, params X509Extension[] extensions)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([usage], critical: false));
        foreach (var extension in extensions)
        {
            request.CertificateExtensions.Add(extension);
        }

        return request.Create(certificate, notBefore, notAfter, RandomNumberGenerator.GetBytes(8));
    }
}
