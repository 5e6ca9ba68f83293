using System.Net;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;
using Fairlead.Platform;
using Fairlead.Platform.Resolver;
using Fairlead.Tests.Daemon.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Names.Dns;

public sealed class NameServerTests : IAsyncLifetime
{
    private static readonly NameSettings Wishes = new(true, "", "", "");
    private static readonly DnsName Frontend = DnsName.Parse("frontend.shop");
    private readonly FakeResolver host = new();
    private readonly NameServer server;

    public NameServerTests() => server = new NameServer(host, new IPEndPoint(IPAddress.Loopback, 0), TimeProvider.System, NullLogger<NameServer>.Instance);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => server.DisposeAsync();

    [Fact]
    public async Task Published_names_resolve_when_publishing_is_done_and_the_host_is_led_to_them()
    {
        (await PublishAsync("consume", Table("127.72.0.9"))).ShouldBeNull();
        host.Claim.ShouldNotBeNull().Server.ShouldBe(IPAddress.Loopback);
        host.Claim.Domains.ShouldBe(["shop"]);
        host.Claim.Search.ShouldBe(["shop.svc.cluster.local"]);
        (await AskAsync()).ShouldBe("127.72.0.9");

        // Connect's names come before those of consume.
        await PublishAsync("connect", Table("10.96.0.9"));
        (await AskAsync()).ShouldBe("10.96.0.9");
        await server.WithdrawAsync("connect", Cancel);
        (await AskAsync()).ShouldBe("127.72.0.9");
        await server.WithdrawAsync("consume", Cancel);
        host.Claim.ShouldBeNull();
        server.Status.IsRunning.ShouldBeFalse();
    }

    [Fact]
    public async Task Whoever_keeps_answers_is_told_of_names_that_come_and_go_and_only_then()
    {
        await PublishAsync("consume", Table("127.72.0.9"));
        host.Forgotten.ShouldBe(1);
        await PublishAsync("consume", Table("127.72.0.10"));
        host.Forgotten.ShouldBe(1);
        await PublishAsync("consume", NameTable.Empty);
        host.Forgotten.ShouldBe(2);
    }

    [Fact]
    public async Task Servers_that_a_network_brings_are_asked_from_then_on_and_the_host_is_claimed_again()
    {
        host.State = host.State with { Servers = [FakeResolver.Server("192.0.2.1")] };
        await PublishAsync("consume", Table("127.72.0.9"));
        server.Upstreams.ShouldBe([FakeResolver.Server("192.0.2.1")]);
        var claims = host.Claims;
        host.State = host.State with { Servers = [FakeResolver.Server("10.8.0.1")] };
        host.Change("a VPN came up");
        await EventuallyAsync(() => server.Upstreams.SequenceEqual([FakeResolver.Server("10.8.0.1")]) && host.Claims > claims);
    }

    [Fact]
    public async Task Host_that_refuses_is_told_and_tried_again_with_the_next_publication()
    {
        host.Failure = new HostException("resolv.conf is immutable") { Hint = "chattr -i" };
        var problem = await PublishAsync("consume", Table("127.72.0.9"));
        problem.ShouldNotBeNull().Why.ShouldBe("resolv.conf is immutable");
        problem.Hint.ShouldBe("chattr -i");
        server.Status.Problem.ShouldBe(problem);
        host.Failure = null;
        host.Outcome = new ResolverOutcome("another program has it", "stop that");
        (await PublishAsync("consume", Table("127.72.0.9"))).ShouldNotBeNull().Why.ShouldBe("another program has it");
        host.Outcome = ResolverOutcome.Claimed;
        (await PublishAsync("consume", Table("127.72.0.9"))).ShouldBeNull();
    }

    [Fact]
    public async Task Port_that_is_taken_is_told()
    {
        await PublishAsync("consume", Table("127.72.0.9"));
        await using var second = new NameServer(new FakeResolver(), server.EndPoint, TimeProvider.System, NullLogger<NameServer>.Instance);
        var problem = await second.PublishAsync("consume", Table("127.72.0.9"), Wishes, null, Cancel);
        problem.ShouldNotBeNull().Code.ShouldBe("dns-port");
        second.Status.IsRunning.ShouldBeFalse();
    }

    private static NameTable Table(string address) => new(
        [new ZoneName(Frontend, [IPAddress.Parse(address)])], [new ZoneSuffix(DnsName.Parse("shop"), SuffixUse.Fleeting)], ["shop.svc.cluster.local"]);

    private Task<Fairlead.Contracts.Errors.ErrorInfo?> PublishAsync(string owner, NameTable table) => server.PublishAsync(owner, table, Wishes, null, Cancel);

    private async Task<string> AskAsync() =>
        ((AddressData)(await new DnsClient().QueryAsync(server.EndPoint, Frontend, DnsType.A, Cancel)).Answers.ShouldHaveSingleItem().Data).Value.ToString();

    /// <summary>What another task does is waited for; only a test that fails waits long.</summary>
    private static async Task EventuallyAsync(Func<bool> condition)
    {
        for (var i = 0; i < 2000 && !condition(); i++)
        {
            await Task.Delay(10, Cancel);
        }

        condition().ShouldBeTrue();
    }
}
