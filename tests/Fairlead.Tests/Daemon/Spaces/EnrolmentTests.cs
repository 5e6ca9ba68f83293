using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Spaces;
using Fairlead.Tests.Daemon.Fakes;

namespace Fairlead.Tests.Daemon.Spaces;

public sealed class EnrolmentTests : IDisposable
{
    private readonly FakeGateway gateway = new();

    public void Dispose() => gateway.Dispose();

    [Fact]
    public async Task Join_keeps_the_key_here_and_takes_the_certificate()
    {
        using var enrolled = (await JoinAsync(gateway.Token())).Certificate;
        enrolled.HasPrivateKey.ShouldBeTrue();
        enrolled.Subject.ShouldContain("invite:alice");
        using var key = enrolled.GetECDsaPrivateKey();
        key!.KeySize.ShouldBe(256);
    }

    [Theory]
    [InlineData("token-used")]
    [InlineData("token-expired")]
    [InlineData("token-unknown")]
    public async Task Join_refused_token_tells_what_the_gateway_said(string code)
    {
        gateway.Refusal = new ErrorInfo(ErrorCategory.Denied, code, "The join token can't be used", "it was used already", "Ask for a new one.");
        (await FailAsync(gateway.Token())).ShouldBe(gateway.Refusal);
    }

    [Theory]
    [InlineData(26, "26 hours behind")]
    [InlineData(-26, "26 hours ahead of")]
    [InlineData(-72, "3 days ahead of")]
    public async Task Join_clock_off_by_a_day_is_told_before_the_token_is_spent(int hours, string why)
    {
        gateway.Now += TimeSpan.FromHours(hours);
        var error = await FailAsync(gateway.Token());
        error.Code.ShouldBe("clock-skew");
        error.Why.ShouldNotBeNull().ShouldContain(why);
        gateway.Enrolments.ShouldBe(0);
    }

    [Fact]
    public async Task Join_unreachable_gateway_is_not_connected()
    {
        gateway.Unreachable = new HttpRequestException("broken", new IOException("no route to host"));
        var error = await FailAsync(gateway.Token());
        error.Category.ShouldBe(ErrorCategory.NotConnected);
        error.Why.ShouldBe("no route to host");
    }

    [Fact]
    public async Task Join_failure_of_the_carrier_is_told_as_it_is()
    {
        var known = new ErrorInfo(ErrorCategory.NotConnected, "gateway-untrusted", "The server is not this space's gateway");
        gateway.Unreachable = new HttpRequestException("tls", new IOException("handshake", new FairleadException(known)));
        (await FailAsync(gateway.Token())).ShouldBe(known);
    }

    [Fact]
    public async Task Join_unreachable_with_an_expired_token_says_expired()
    {
        gateway.Unreachable = new HttpRequestException("broken");
        (await FailAsync(gateway.Token(token => token with { Expires = gateway.Now.AddDays(-1) }))).Code.ShouldBe("token-expired");
    }

    [Fact]
    public async Task Join_certificate_of_another_authority_is_forged()
    {
        var other = new FakeGateway();
        gateway.Sign = other.Certify;
        (await FailAsync(gateway.Token())).Code.ShouldBe("gateway-forged");
    }

    [Fact]
    public async Task Join_certificate_not_signed_by_the_authority_is_forged()
    {
        var other = new FakeGateway();
        gateway.Sign = request => other.Certify(request) with { Authority = gateway.Authority.ExportCertificatePem() };
        (await FailAsync(gateway.Token())).Code.ShouldBe("gateway-forged");
    }

    [Fact]
    public async Task Join_certificate_for_another_key_is_refused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var foreign = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        gateway.Sign = _ => gateway.Certify(foreign);
        (await FailAsync(gateway.Token())).Code.ShouldBe("gateway-version");
    }

    [Fact]
    public async Task Join_garbage_instead_of_a_certificate_is_refused()
    {
        gateway.Sign = _ => new CertificateResponse("nonsense", "nonsense", "invite:alice", gateway.Now, gateway.Now);
        (await FailAsync(gateway.Token())).Code.ShouldBe("gateway-version");
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("")]
    [InlineData("A")]
    public void ReadToken_space_that_can_be_no_directory_is_refused(string uid) =>
        Should.Throw<FairleadException>(() => Enrolment.ReadToken(gateway.Token(token => token with { SpaceUid = uid }))).Error.Code.ShouldBe("token-invalid");

    [Fact]
    public void ReadToken_cut_short_is_told() =>
        Should.Throw<FairleadException>(() => Enrolment.ReadToken(gateway.Token()[..^20])).Error.Code.ShouldBe("token-truncated");

    [Fact]
    public async Task Renew_keeps_the_authority()
    {
        using var client = gateway.CreateBootstrap(JoinToken.Parse(gateway.Token()));
        using var certificate = (await Enrolment.RenewAsync(client, gateway.Authority, CancellationToken.None)).Certificate;
        certificate.HasPrivateKey.ShouldBeTrue();
        (await Should.ThrowAsync<FairleadException>(() => Enrolment.RenewAsync(client, new FakeGateway().Authority, CancellationToken.None))).Error.Code.ShouldBe("gateway-forged");
    }

    private async Task<Enrolled> JoinAsync(string text)
    {
        var token = JoinToken.Parse(text);
        using var client = gateway.CreateBootstrap(token);
        return await Enrolment.JoinAsync(client, token, TimeProvider.System, CancellationToken.None);
    }

    private async Task<ErrorInfo> FailAsync(string text) => (await Should.ThrowAsync<FairleadException>(() => JoinAsync(text))).Error;
}
