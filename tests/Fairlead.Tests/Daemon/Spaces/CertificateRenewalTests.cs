using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Daemon.Spaces;
using Fairlead.Tests.Daemon.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Spaces;

public sealed class CertificateRenewalTests : IAsyncLifetime
{
    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;
    private readonly ManualTime time = new();
    private readonly FakeGateway gateway = new();
    private Space space = null!;

    public async ValueTask InitializeAsync()
    {
        gateway.Now = time.GetUtcNow();
        var token = JoinToken.Parse(gateway.Token());
        using var client = gateway.CreateBootstrap(token);
        var enrolled = await Enrolment.JoinAsync(client, token, time, CancellationToken.None);
        var record = new SpaceRecord("team", gateway.Uid, 0, "invite:alice", "cluster.local", token.Endpoints, enrolled.Response.Authority, enrolled.Response.RenewAfter);
        space = new Space(new StoredSpace(record, enrolled.Certificate, SpaceSettings.None, []), null, new SpaceStore(directory, NullLogger.Instance), gateway, new FakeCompanions(time), new Signal(), time, NullLoggerFactory.Instance);
        space.Start();
        await space.WaitForCatalogAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await space.DisposeAsync();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Certificate_is_renewed_between_two_thirds_and_its_end_and_stored()
    {
        var first = space.CertificateExpires;
        await PassAsync(TimeSpan.FromHours(15.9));
        gateway.Renewals.ShouldBe(0);
        await PassAsync(TimeSpan.FromHours(1));
        await UntilAsync(() => space.CertificateExpires > first);
        gateway.Renewals.ShouldBe(1);
        new SpaceStore(directory, NullLogger.Instance).LoadAll().ShouldHaveSingleItem().Certificate.NotAfter.ToUniversalTime().ShouldBe(space.CertificateExpires.UtcDateTime);
    }

    [Fact]
    public async Task Refused_renewal_is_told_and_tried_again()
    {
        gateway.Refusal = new ErrorInfo(ErrorCategory.Denied, "revoked", "You are revoked");
        await PassAsync(TimeSpan.FromHours(17));
        await UntilAsync(() => space.Problem is { Code: "certificate-renewal", Why: "You are revoked" });
        gateway.Refusal = null;
        await PassAsync(TimeSpan.FromHours(1));
        await UntilAsync(() => space.Problem is null);
        gateway.Renewals.ShouldBe(1);
    }

    [Fact]
    public async Task Expired_certificate_is_told_with_what_to_do()
    {
        gateway.Refusal = new ErrorInfo(ErrorCategory.Failed, "down", "The gateway is out of order");
        await PassAsync(TimeSpan.FromHours(26));
        await UntilAsync(() => space.Problem?.Code == "certificate-expired");
        space.Problem!.Hint.ShouldNotBeNull().ShouldContain("fairlead join");
        space.Describe(true, 0).Problem!.Code.ShouldBe("certificate-expired");
    }

    [Fact]
    public async Task Certificate_that_ran_out_without_a_link_is_renewed_on_a_connection_of_its_own()
    {
        var link = gateway.Links.ShouldHaveSingleItem();
        link.Set(LinkState.Refused, new ErrorInfo(ErrorCategory.Denied, "certificate-expired", "The gateway does not accept the certificate"));
        await PassAsync(TimeSpan.FromHours(26));
        await UntilAsync(() => space.CertificateExpires > time.GetUtcNow());
        gateway.Renewals.ShouldBe(1);
        link.Redials.ShouldBe(1);
    }

    /// <summary>In steps, as timers see time pass.</summary>
    private async Task PassAsync(TimeSpan duration)
    {
        for (var step = TimeSpan.FromMinutes(5); duration > TimeSpan.Zero; duration -= step)
        {
            time.Advance(duration < step ? duration : step);
            gateway.Now = time.GetUtcNow();
            await Task.Delay(1);
        }
    }
}
