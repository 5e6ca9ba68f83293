using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Gateway.Identity;

namespace Fairlead.Tests.Gateway.Identity;

public sealed class ClientCertificatesTests
{
    private readonly ManualTime time = new();
    private readonly Revocations revocations = new();
    private readonly SpaceAuthority authority;
    private readonly ClientCertificates certificates;

    public ClientCertificatesTests()
    {
        authority = NewAuthority();
        certificates = new ClientCertificates(authority, revocations, time);
    }

    [Fact]
    public void Judge_certificate_of_ours_is_known()
    {
        var (peer, error) = certificates.Judge(Issue());
        error.ShouldBeNull();
        peer!.Subject.ShouldBe("invite:alice");
        peer.Issued.ShouldBe(time.GetUtcNow());
    }

    [Fact]
    public void Judge_certificate_of_another_space_is_foreign()
    {
        using var other = NewAuthority();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        certificates.Judge(other.IssueClient(new PublicKey(key), "alice", null, time.GetUtcNow(), TimeSpan.FromHours(1))).Error!.Code.ShouldBe("certificate-foreign");
    }

    [Fact]
    public void Judge_server_certificate_and_self_made_one_are_foreign()
    {
        certificates.Judge(authority.IssueServer("gateway-1")).Error!.Code.ShouldBe("certificate-foreign");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var forged = new CertificateRequest(authority.Certificate.SubjectName, key, HashAlgorithmName.SHA256)
            .Create(authority.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(key), time.GetUtcNow(), time.GetUtcNow().AddDays(1), [1]);
        certificates.Judge(forged).Error!.Code.ShouldBe("certificate-foreign");
        certificates.Judge(authority.Certificate).Error!.Code.ShouldBe("certificate-foreign");
    }

    [Fact]
    public void Judge_time_before_and_after_says_which_clock_to_look_at()
    {
        var certificate = Issue();
        time.Advance(TimeSpan.FromHours(24));
        var expired = certificates.Judge(certificate).Error!;
        expired.Code.ShouldBe("certificate-expired");
        expired.Hint!.ShouldContain("clock");
        time.Advance(TimeSpan.FromDays(-2));
        certificates.Judge(certificate).Error!.Code.ShouldBe("certificate-not-yet-valid");
    }

    [Fact]
    public void Judge_for_renewal_takes_what_has_expired_for_ninety_days()
    {
        var certificate = Issue();
        time.Advance(TimeSpan.FromDays(60));
        certificates.JudgeForRenewal(certificate).Peer!.Subject.ShouldBe("invite:alice");
        certificates.Identify(certificate).ShouldBeNull();
        revocations.Replace(new Dictionary<string, string> { ["invite.alice"] = time.GetUtcNow().ToString("O") });
        certificates.JudgeForRenewal(certificate).Error!.Code.ShouldBe("revoked");
        time.Advance(TimeSpan.FromDays(31));
        certificates.JudgeForRenewal(certificate).Error!.Code.ShouldBe("certificate-expired");
    }

    [Fact]
    public void Judge_clock_a_little_late_is_forgiven()
    {
        var certificate = Issue();
        time.Advance(TimeSpan.FromMinutes(-4));
        certificates.Identify(certificate).ShouldNotBeNull();
    }

    [Fact]
    public void Judge_revoked_subject_is_denied_and_newer_certificate_is_not()
    {
        var old = Issue();
        certificates.Identify(old).ShouldNotBeNull();
        revocations.Replace(new Dictionary<string, string> { ["invite.alice"] = time.GetUtcNow().ToString("O") });
        certificates.Judge(old).Error!.Code.ShouldBe("revoked");

        // By a gateway whose clock goes before the API server's.
        time.Advance(Revocations.ClockTolerance);
        certificates.Judge(Issue()).Error!.Code.ShouldBe("revoked");
        time.Advance(TimeSpan.FromSeconds(1));
        certificates.Identify(Issue()).ShouldNotBeNull();
    }

    [Fact]
    public void Revocation_that_cannot_be_read_revokes_for_good()
    {
        revocations.Replace(new Dictionary<string, string> { ["invite.alice"] = "yesterday-ish" });
        certificates.Judge(Issue()).Error!.Code.ShouldBe("revoked");
    }

    [Fact]
    public void Request_with_another_key_than_p256_or_p384_or_a_broken_signature_is_refused()
    {
        using var p521 = ECDsa.Create(ECCurve.NamedCurves.nistP521);
        using var rsa = RSA.Create(2048);
        var good = Invites.Request();
        var der = Convert.FromBase64String(string.Concat(good.Split('\n').Where(l => !l.StartsWith('-'))));
        der[^1] ^= 1;
        foreach (var pem in new[]
        {
            Invites.Request(p521),
            new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSigningRequestPem(),
            PemEncoding.WriteString("CERTIFICATE REQUEST", der),
            "garbage", "", new string('A', 100_000), good[..(good.Length / 2)],
        })
        {
            Should.Throw<FairleadException>(() => SigningRequest.ReadKey(pem)).Error.Code.ShouldBe("certificate-request-invalid");
        }

        SigningRequest.ReadKey(good).ShouldNotBeNull();
    }

    private X509Certificate2 Issue()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return authority.IssueClient(new PublicKey(key), "alice", null, time.GetUtcNow(), TimeSpan.FromHours(24));
    }

    private SpaceAuthority NewAuthority()
    {
        var (certificate, key) = SpaceAuthority.Generate(time);
        return SpaceAuthority.Load(certificate, key, time);
    }
}
