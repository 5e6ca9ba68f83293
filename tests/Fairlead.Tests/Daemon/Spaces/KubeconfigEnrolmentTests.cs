using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon;
using Fairlead.Daemon.Spaces;
using Fairlead.Tests.Daemon.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Spaces;

public sealed class KubeconfigEnrolmentTests : IAsyncLifetime
{
    private static readonly ClusterAccess Asked = new("/home/bob/.kube/config", null, "");

    private readonly string directory = Directory.CreateTempSubdirectory("fairlead-").FullName;
    private readonly ManualTime time = new();
    private readonly FakeGateway gateway = new();
    private readonly FakeCompanions companions;
    private Space? space;

    public KubeconfigEnrolmentTests() => companions = new FakeCompanions(time);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (space is not null)
        {
            await space.DisposeAsync();
        }

        companions.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    [Fact]
    public async Task Enrolment_gives_a_certificate_and_remembers_the_context_that_was_current()
    {
        var enrolled = await EnrolAsync();

        enrolled.Cluster.ShouldBe(new ClusterAccess("/home/bob/.kube/config", "here", "fairlead"));
        enrolled.Enrolled.Response.Subject.ShouldBe("k8s:bob");
        enrolled.Enrolled.Certificate.HasPrivateKey.ShouldBeTrue();
        (enrolled.Enrolled.Response.RenewAfter - time.GetUtcNow()).ShouldBeInRange(TimeSpan.FromHours(7.9), TimeSpan.FromHours(8));
        enrolled.Pods.Names.ShouldBe(["gateway-1"]);
    }

    [Fact]
    public async Task Certificate_for_another_key_is_refused()
    {
        companions.Cheats = true;
        (await Should.ThrowAsync<FairleadException>(EnrolAsync)).Error.Why.ShouldBe("it is for another key");
    }

    [Fact]
    public async Task Clock_that_is_off_by_a_day_is_told()
    {
        var late = new ManualTime();
        late.Advance(TimeSpan.FromDays(1));
        (await Should.ThrowAsync<FairleadException>(() => KubeconfigEnrolment.EnrolAsync(companions, 1000, Asked, late, CancellationToken.None))).Error.Code.ShouldBe("clock-skew");
    }

    [Fact]
    public async Task Renewal_is_a_new_request_and_brings_the_pods_of_now()
    {
        await JoinAsync();
        var first = space!.CertificateExpires;
        companions.Pods = ["gateway-2", "gateway-3"];

        await HoursPassUntilAsync(() => space.CertificateExpires > first);

        companions.Enrolments.ShouldBe(2);
        gateway.Renewals.ShouldBe(0);
        space.Record.Pods!.Names.ShouldBe(["gateway-2", "gateway-3"]);
    }

    [Fact]
    public async Task Renewal_without_a_companion_is_told_with_what_starts_it_and_done_at_once_when_it_comes()
    {
        await JoinAsync();
        var first = space!.CertificateExpires;
        companions.Present = false;
        await HoursPassUntilAsync(() => space.Problem is { Code: "certificate-renewal" });
        space.Problem!.Why!.ShouldContain("no companion runs");
        space.Problem.Hint!.ShouldContain("fairlead status");

        companions.Present = true;
        await UntilAsync(() => space.CertificateExpires > first); // No time passes for the space.
        space.Problem.ShouldBeNull();
    }

    [Fact]
    public async Task Link_that_stays_down_has_the_gateway_asked_for_anew_and_not_again_at_once()
    {
        await JoinAsync();
        companions.Pods = ["gateway-8", "gateway-9"];
        gateway.Links.Single().Set(LinkState.Disconnected);
        await SecondsPassUntilAsync(() => companions.Enrolments > 1);

        companions.Enrolments.ShouldBe(2);
        await UntilAsync(() => gateway.Links.Single().Pods is ["gateway-8", "gateway-9"]);
        space!.Record.Pods!.Names.ShouldBe(["gateway-8", "gateway-9"]);

        await PassAsync(GatewayRediscovery.Interval - TimeSpan.FromMinutes(1));
        companions.Enrolments.ShouldBe(2);
        await SecondsPassUntilAsync(() => companions.Enrolments > 2);
        companions.Enrolments.ShouldBe(3);
    }

    [Fact]
    public async Task Link_that_comes_back_has_nothing_asked()
    {
        await JoinAsync();
        for (var i = 0; i < 3; i++)
        {
            gateway.Links.Single().Set(LinkState.Disconnected);
            await PassAsync(GatewayRediscovery.Patience - TimeSpan.FromSeconds(5));
            gateway.Links.Single().Set(LinkState.Connected);
            await PassAsync(TimeSpan.FromSeconds(10));
        }

        companions.Enrolments.ShouldBe(1);
    }

    [Fact]
    public async Task Renewal_from_another_space_is_refused()
    {
        await JoinAsync();
        companions.BecomeAnotherSpace();
        await HoursPassUntilAsync(() => space!.Problem is { Code: "certificate-renewal" });
        space!.Problem!.Why!.ShouldContain("another space");
    }

    private Task<KubeconfigEnrolled> EnrolAsync() => KubeconfigEnrolment.EnrolAsync(companions, 1000, Asked, time, CancellationToken.None);

    private async Task JoinAsync()
    {
        gateway.Now = time.GetUtcNow();
        var enrolled = await EnrolAsync();
        var record = new SpaceRecord(
            "team", enrolled.Facts.SpaceUid, 1000, enrolled.Enrolled.Response.Subject, "cluster.local", enrolled.Facts.Endpoints, enrolled.Enrolled.Response.Authority,
            enrolled.Enrolled.Response.RenewAfter, enrolled.Cluster, enrolled.Pods);
        space = new Space(
            new StoredSpace(record, enrolled.Enrolled.Certificate, SpaceSettings.None, []), null, new SpaceStore(directory, NullLogger.Instance), gateway, companions, new Signal(), time, NullLoggerFactory.Instance);
        space.Start();
        await space.WaitForCatalogAsync(CancellationToken.None);
    }

    /// <summary>In steps of a second, as timers see time pass.</summary>
    private async Task PassAsync(TimeSpan duration)
    {
        for (var step = TimeSpan.FromSeconds(1); duration > TimeSpan.Zero; duration -= step)
        {
            await Task.Delay(2);
            time.Advance(step);
        }

        await Task.Delay(2);
    }

    private Task SecondsPassUntilAsync(Func<bool> condition) => UntilAsync(() =>
    {
        time.Advance(TimeSpan.FromSeconds(1));
        return condition();
    });

    /// <summary>Fewer hours than a certificate lasts.</summary>
    private Task HoursPassUntilAsync(Func<bool> condition)
    {
        var steps = 11 * 12;
        return UntilAsync(() =>
        {
            if (steps-- > 0)
            {
                time.Advance(TimeSpan.FromMinutes(5));
                gateway.Now = time.GetUtcNow();
            }

            return condition();
        });
    }
}
