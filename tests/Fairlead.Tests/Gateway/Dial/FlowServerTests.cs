using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Gateway.Dial;

public sealed class FlowServerTests : IDisposable
{
    private readonly World world = new();
    private readonly Grants grants = new();
    private readonly Revocations revocations = new();
    private readonly GatewayMetrics metrics = new();
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly FlowServer server;

    public FlowServerTests()
    {
        var dialer = new Dialer(world.Planner, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]), TimeProvider.System);
        server = new FlowServer(world.Planner, grants, revocations, dialer, metrics, TimeProvider.System, NullLogger<FlowServer>.Instance);
        grants.Changed = server.Reconsider;
        listener.Start();
        world.Service("shop/echo", "127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        Grant("shop");
    }

    private int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public void Dispose()
    {
        listener.Dispose();
        metrics.Dispose();
    }

    [Fact]
    public async Task Handle_granted_flow_is_dialled_and_relayed()
    {
        var flow = new FakeFlow("echo.shop.svc", Port);
        var handling = server.HandleAsync(flow, default);
        using var far = await listener.AcceptSocketAsync();
        await flow.Accepted.WaitAsync(Limit);
        await far.SendAsync("hello"u8.ToArray());
        (await flow.Stream.NextWriteAsync()).ShouldBe("hello"u8.ToArray());
        flow.Stream.Abort(FlowFailure.Reset);
        await handling.WaitAsync(Limit);
        server.Flows.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Handle_flow_without_grant_is_denied_with_the_reason()
    {
        var flow = new FakeFlow("echo.other.svc", 80);
        await server.HandleAsync(flow, default);
        flow.Refusal!.Failure.ShouldBe(FlowFailure.Denied);
        flow.Refusal.Message.ShouldContain("no grant");
    }

    [Fact]
    public async Task Handle_closed_port_is_refused()
    {
        world.Service("shop/closed", "127.0.0.1", 1);
        var flow = new FakeFlow("closed.shop.svc", 1);
        await server.HandleAsync(flow, default);
        flow.Refusal!.Failure.ShouldBe(FlowFailure.ConnectionRefused);
    }

    [Fact]
    public async Task Handle_external_name_that_resolves_to_loopback_is_denied()
    {
        world.Service("shop/out", null, 443, kind: ServiceKind.ExternalName, external: "rebind.example.com");
        var flow = new FakeFlow("out.shop.svc", 443);
        await server.HandleAsync(flow, default);
        flow.Refusal!.Failure.ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public async Task Grant_deleted_ends_the_live_flow()
    {
        var handling = await OpenAsync();
        grants.Put("g", null);
        await handling.WaitAsync(Limit);
        server.Flows.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Grant_narrowed_to_something_else_ends_the_live_flow_and_a_wider_one_does_not()
    {
        var handling = await OpenAsync();
        Grant("shop", "dev-*");
        handling.IsCompleted.ShouldBeFalse();
        Grant("dev-*");
        await handling.WaitAsync(Limit);
    }

    [Fact]
    public async Task Revocation_ends_the_live_flows_of_its_subject_only()
    {
        grants.Put("bob", new GrantSpec(["invite:bob"], [new GrantRule(["shop"])]));
        var alice = await OpenAsync();
        var bob = await OpenAsync("invite:bob");
        revocations.Replace(new Dictionary<string, string> { ["invite.alice"] = DateTimeOffset.UtcNow.ToString("O") });
        server.Flows.End(revocations.IsRevoked);
        await alice.WaitAsync(Limit);
        bob.IsCompleted.ShouldBeFalse();
        server.Flows.End(_ => true);
        await bob.WaitAsync(Limit);
    }

    [Fact]
    public async Task Drain_refuses_new_flows_and_waits_for_open_ones()
    {
        var flow = new FakeFlow("echo.shop.svc", Port);
        var handling = server.HandleAsync(flow, default);
        using var far = await listener.AcceptSocketAsync();
        await flow.Accepted.WaitAsync(Limit);
        var drained = server.DrainAsync(Limit, default);
        drained.IsCompleted.ShouldBeFalse();
        var late = new FakeFlow("echo.shop.svc", Port);
        await server.HandleAsync(late, default);
        late.Refusal!.Failure.ShouldBe(FlowFailure.Draining);
        flow.Stream.Abort(FlowFailure.Reset);
        await handling.WaitAsync(Limit);
        await drained.WaitAsync(Limit);
    }

    [Fact]
    public async Task Drain_ends_what_is_left_when_its_time_is_up()
    {
        var handling = await OpenAsync();
        await server.DrainAsync(TimeSpan.FromMilliseconds(1), default);
        await handling.WaitAsync(Limit);
    }

    [Fact]
    public void Sessions_beyond_a_subjects_limit_are_not_opened()
    {
        var sessions = new Sessions(perSubject: 2, total: 3);
        PeerIdentity alice = new("invite:alice", default, default), bob = new("invite:bob", default, default);
        var first = sessions.TryOpen(alice)!;
        sessions.TryOpen(alice).ShouldNotBeNull();
        sessions.TryOpen(alice).ShouldBeNull();
        sessions.TryOpen(bob).ShouldNotBeNull();
        sessions.TryOpen(bob).ShouldBeNull();
        first.Dispose();
        first.Dispose();
        sessions.TryOpen(alice).ShouldNotBeNull();
    }

    private void Grant(params string[] namespaces) => grants.Put("g", new GrantSpec(["invite:alice"], [new GrantRule(namespaces)]));

    private async Task<Task> OpenAsync(string subject = "invite:alice")
    {
        var flow = new FakeFlow("echo.shop.svc", Port, subject);
        var handling = server.HandleAsync(flow, default);
        await flow.Accepted.WaitAsync(Limit);
        return handling;
    }
}
