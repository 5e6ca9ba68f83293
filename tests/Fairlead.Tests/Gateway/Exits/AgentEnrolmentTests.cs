using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Exits;
using Fairlead.Gateway.Identity;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Exits;

public sealed class AgentEnrolmentTests : IDisposable
{
    private static readonly ExitPod Pod = new("shop", "web-1", "uid-1", [IPAddress.Parse("10.244.0.5")]);

    private readonly ManualTime time = new();
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly SpaceAuthority authority;
    private readonly AgentEnrolment enrolment;
    private readonly ClientCertificates certificates;

    public AgentEnrolmentTests()
    {
        var (certificate, privateKey) = SpaceAuthority.Generate(time);
        authority = SpaceAuthority.Load(certificate, privateKey, time);
        enrolment = new AgentEnrolment(authority, time, NullLogger<AgentEnrolment>.Instance);
        certificates = new ClientCertificates(authority, new Revocations(), time);
    }

    public void Dispose()
    {
        authority.Dispose();
        key.Dispose();
    }

    [Fact]
    public void Agent_with_its_nonce_is_certified_as_its_pod_s_and_as_nobody_else()
    {
        using var certificate = X509Certificate2.CreateFromPem(Enroll(enrolment.Expect(Pod)).Certificate);
        certificates.IdentifyAgent(certificate).ShouldBe("uid-1");
        certificates.Identify(certificate).ShouldBeNull(); // it opens no flows and reads no catalog
        time.Advance(TimeSpan.FromHours(25));
        certificates.IdentifyAgent(certificate).ShouldBeNull();
    }

    [Fact]
    public void User_s_certificate_is_no_agent_s()
    {
        using var user = authority.IssueClient(new PublicKey(key), "alice", null, time.GetUtcNow(), TimeSpan.FromHours(1));
        certificates.IdentifyAgent(user).ShouldBeNull();
    }

    [Fact]
    public void Nonce_is_good_once()
    {
        var nonce = enrolment.Expect(Pod);
        Enroll(nonce);
        Denied(() => Enroll(nonce));
    }

    [Fact]
    public void Nonce_is_good_for_a_minute()
    {
        var nonce = enrolment.Expect(Pod);
        time.Advance(AgentEnrolment.NonceLifetime);
        Denied(() => Enroll(nonce));
    }

    [Theory]
    [InlineData("10.244.0.6", "uid-1")]
    [InlineData("10.244.0.5", "uid-2")]
    [InlineData(null, "uid-1")]
    public void Nonce_is_good_from_its_pod_only_and_lost_to_who_tries_it_elsewhere(string? source, string uid)
    {
        var nonce = enrolment.Expect(Pod);
        Denied(() => Enroll(nonce, source, uid));
        Denied(() => Enroll(nonce));
    }

    [Theory]
    [InlineData("")]
    [InlineData("AAAA")]
    public void Nonce_that_nobody_made_is_no_good(string nonce) => Denied(() => Enroll(nonce));

    private CertificateResponse Enroll(string nonce, string? source = "10.244.0.5", string uid = "uid-1") => enrolment.Enroll(
        new EnrollRequest(uid, nonce, new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem()), source is null ? null : IPAddress.Parse(source));

    private static void Denied(Action action) => Should.Throw<FairleadException>(action).Error.Code.ShouldBe("agent-unknown");
}
