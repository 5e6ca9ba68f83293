using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tests.Gateway.Identity;

/// <summary>Invites and requests for tests.</summary>
internal static class Invites
{
    public const string Secrets = "/api/v1/namespaces/fairlead/secrets/";

    public static string Put(FakeCluster cluster, string id, DateTimeOffset expires, int uses = 1, string user = "alice", string type = "fairlead.dev/invite", string group = "")
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        cluster.Put(Secrets + "fairlead-invite-" + id, $$"""
            {"type":"{{type}}","data":{"user":"{{Base64(user)}}","group":"{{Base64(group)}}","secret-sha256":"{{Base64(Convert.ToHexStringLower(SHA256.HashData(secret)))}}",
            "expires":"{{Base64(expires.ToString("O"))}}","uses-left":"{{Base64(uses.ToString())}}"} }
            """);
        return Base64Url.EncodeToString(secret);
    }

    public static string UsesLeft(FakeCluster cluster, string id) =>
        Encoding.ASCII.GetString(Convert.FromBase64String(cluster.Get(Secrets + "fairlead-invite-" + id)!["data"]!["uses-left"]!.GetValue<string>()));

    public static string Request(ECDsa? key = null, string subject = "CN=invite:root", Action<CertificateRequest>? change = null)
    {
        var request = new CertificateRequest(subject, key ?? ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
        change?.Invoke(request);
        return request.CreateSigningRequestPem();
    }

    public static EnrollRequest Enroll(string id, string secret) => new(id, secret, Request());

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
