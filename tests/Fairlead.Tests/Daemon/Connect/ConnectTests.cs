using System.Net.Http.Json;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Platform;
using Fairlead.Platform.Routes;
using Fairlead.Tests.Daemon.Fakes;
using Laptop = Fairlead.Tests.Daemon.Plan.Laptop;

namespace Fairlead.Tests.Daemon.Connect;

/// <summary>Connect through the local API, on a host in memory.</summary>
public sealed class ConnectTests : IAsyncLifetime
{
    private static readonly HostNetwork Plain = new Laptop().Network;
    private static readonly HostNetwork WithVpn = new Laptop().Route("10.130.0.0/16", "tun0").Network;

    private readonly FakeHost host = new();
    private readonly FakeGateway gateway = new();
    private TestDaemon daemon = null!;

    public async ValueTask InitializeAsync()
    {
        host.Routes.Network = Plain;
        gateway.Hello = gateway.Hello with { Network = new ClusterNetwork(["10.130.0.0/16"], ["10.132.0.0/16"], "cluster.local", "10.130.0.10") };
        gateway.Tell(TestDaemon.Service("shop", "frontend", 80));
        daemon = await TestDaemon.StartAsync(host, gateway);
        await daemon.JoinAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await daemon.DisposeAsync();
        host.Dispose();
    }

    [Fact]
    public async Task Connect_routes_the_cluster_into_the_device_and_disconnect_takes_all_back()
    {
        var state = await ConnectAsync();
        (state.Connected, state.Space, state.Device).ShouldBe((true, "team", "fairlead0"));
        host.Routes.Applied.Prefixes.Select(prefix => prefix.ToString()).ShouldBe(["10.130.0.0/16", "10.132.0.0/16"]);
        host.Routes.Applied.Device.ShouldBe(7);
        (await daemon.GetAsync(LocalApi.Status, LocalJson.Default.DaemonStatus)).Connect!.Device.ShouldBe("fairlead0");

        await daemon.SendAsync(HttpMethod.Delete, LocalApi.Connect);
        host.Routes.Applied.ShouldBe(RouteSet.Empty);
        host.Tuns.Single().IsDisposed.ShouldBeTrue();
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Delete, LocalApi.Connect))).Code.ShouldBe("not-connected");
    }

    [Fact]
    public async Task Refusal_opens_no_device_and_applies_nothing()
    {
        host.Routes.Network = WithVpn;
        await SetAsync("auto-resolve-conflicts", "false");
        var error = await daemon.FailAsync(() => ConnectAsync());
        (error.Category, error.Code).ShouldBe((ErrorCategory.Conflict, "subnet-conflict"));
        host.Tuns.ShouldBeEmpty();
        (await daemon.GetAsync(LocalApi.Connect, LocalJson.Default.ConnectState)).Connected.ShouldBeFalse();
    }

    [Fact]
    public async Task Host_that_refuses_the_routes_is_left_without_a_device()
    {
        host.Routes.Failure = new HostException("no table");
        (await daemon.FailAsync(() => ConnectAsync())).Why.ShouldBe("no table");
        host.Tuns.Single().IsDisposed.ShouldBeTrue();
    }

    [Fact]
    public async Task Vpn_that_comes_while_connected_is_followed_with_its_cause()
    {
        await ConnectAsync();
        host.Routes.Change(WithVpn, "route 10.130.0.0/16 dev tun0 came");
        var plan = await WaitForPlanAsync(plan => plan.Entries[0].Action == PlanAction.Virtual);
        (plan.Cause, plan.Entries[0].As, plan.InForce).ShouldBe(("route 10.130.0.0/16 dev tun0 came", "246.246.0.0/16", true));
        host.Routes.Applied.Prefixes.Select(prefix => prefix.ToString()).ShouldBe(["10.132.0.0/16", "246.246.0.0/16"]);

        host.Routes.Change(Plain, "route 10.130.0.0/16 dev tun0 went");
        await WaitForPlanAsync(plan => plan.Entries[0].Action == PlanAction.Routed);
    }

    [Fact]
    public async Task Conflict_that_comes_later_and_is_not_resolved_gives_the_subnet_up()
    {
        await SetAsync("auto-resolve-conflicts", "false");
        await ConnectAsync();
        host.Routes.Change(WithVpn, "route came");
        var state = await daemon.WaitForAsync(LocalApi.Connect, LocalJson.Default.ConnectState, state => state.Problem is { Code: "subnet-conflict" });
        state.Connected.ShouldBeTrue();
        host.Routes.Applied.Prefixes.Select(prefix => prefix.ToString()).ShouldBe(["10.132.0.0/16"]);
    }

    [Fact]
    public async Task Option_that_changes_while_connected_is_followed()
    {
        await ConnectAsync();
        await SetAsync("also-proxy-subnets", "172.20.0.0/16");
        await WaitForPlanAsync(plan => plan.Entries.Any(entry => entry.Prefix == "172.20.0.0/16"));
    }

    [Fact]
    public async Task Subnets_of_the_cluster_that_change_are_followed()
    {
        await ConnectAsync();
        gateway.Hello = gateway.Hello with { Network = gateway.Hello.Network! with { PodSubnets = ["10.132.0.0/16", "10.140.0.0/16"] } };
        gateway.BreakCatalogs();
        await WaitForPlanAsync(plan => plan.Entries.Any(entry => entry.Prefix == "10.140.0.0/16"));
    }

    [Fact]
    public async Task Device_that_is_deleted_is_made_anew_with_its_routes()
    {
        await ConnectAsync();
        host.Tuns[0].Lose();
        await UntilAsync(() => host.Routes.Applied.Device == 8);
        host.Tuns.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Connect_again_replaces_the_wishes_and_keeps_them_when_the_new_ones_make_no_sense()
    {
        await ConnectAsync(new ConnectRequest(AlsoProxy: ["172.20.0.0/16"]));
        host.Routes.Applied.Prefixes.Count.ShouldBe(3);
        (await daemon.FailAsync(() => ConnectAsync(new ConnectRequest(AlsoProxy: ["10.0.0.1/8"])))).Category.ShouldBe(ErrorCategory.Usage);
        host.Routes.Applied.Prefixes.Count.ShouldBe(3);
        await ConnectAsync(new ConnectRequest(NeverProxy: ["10.130.1.0/24"]));
        (host.Routes.Applied.Prefixes.Count, host.Routes.Applied.Exceptions.Single().ToString()).ShouldBe((2, "10.130.1.0/24"));
    }

    [Fact]
    public async Task Virtual_subnets_are_the_same_after_a_restart()
    {
        host.Routes.Network = new Laptop().Route("10.132.0.0/16", "tun0").Network;
        (await ConnectAsync()).Plan!.Entries[1].As.ShouldBe("246.246.0.0/16");
        await daemon.DisposeAsync();
        host.Routes.Network = new Laptop().Route("10.128.0.0/9", "tun0").Network;
        daemon = await TestDaemon.StartAsync(host, gateway);
        (await daemon.GetAsync(LocalApi.Connect, LocalJson.Default.ConnectState)).Connected.ShouldBeFalse("a connection is not remembered");
        (await ConnectAsync()).Plan!.Entries.Select(entry => entry.As).ShouldBe(["246.247.0.0/16", "246.246.0.0/16"]);
    }

    [Fact]
    public async Task Plan_without_a_connection_tells_what_would_be_and_changes_nothing()
    {
        host.Routes.Network = WithVpn;
        var plan = await daemon.GetAsync(LocalApi.Plan, LocalJson.Default.PlanState);
        (plan.InForce, plan.Entries[0].Action).ShouldBe((false, PlanAction.Virtual));
        host.Tuns.ShouldBeEmpty();
    }

    [Fact]
    public async Task Gateway_that_does_not_tell_its_subnets_is_said_to_be_too_old()
    {
        gateway.Hello = gateway.Hello with { Network = null };
        gateway.BreakCatalogs();
        var error = await daemon.FailAsync(async () =>
        {
            for (var attempt = 0; attempt < 200; attempt++)
            {
                await ConnectAsync();
                await daemon.SendAsync(HttpMethod.Delete, LocalApi.Connect);
            }
        });
        error.Code.ShouldBe("cluster-network-unknown");
    }

    [Fact]
    public async Task Exit_that_the_gateway_can_t_give_is_refused_before_anything_changes()
    {
        var error = await daemon.FailAsync(() => ConnectAsync(new ConnectRequest(ProxyVia: [new ProxyVia("127.0.0.1/32", "shop/deployment/echo")])));
        error.Code.ShouldBe("gateway-version");
        host.Tuns.ShouldBeEmpty();
    }

    [Fact]
    public async Task Leaving_the_space_ends_its_connection()
    {
        await ConnectAsync();
        await daemon.SendAsync(HttpMethod.Delete, LocalApi.Spaces + "/team");
        host.Routes.Applied.ShouldBe(RouteSet.Empty);
        host.Tuns.Single().IsDisposed.ShouldBeTrue();
    }

    [Fact]
    public async Task Others_may_neither_see_nor_end_a_connection()
    {
        await ConnectAsync();
        host.CallerUid = 1002;
        (await daemon.GetAsync(LocalApi.Connect, LocalJson.Default.ConnectState)).Space.ShouldBeNull();
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Delete, LocalApi.Connect))).Category.ShouldBe(ErrorCategory.Denied);
    }

    private Task<ConnectState> ConnectAsync(ConnectRequest? request = null) =>
        daemon.SendAsync(HttpMethod.Post, LocalApi.Connect, JsonContent.Create(request ?? new ConnectRequest(), LocalJson.Default.ConnectRequest), LocalJson.Default.ConnectState);

    private Task<PlanState> WaitForPlanAsync(Predicate<PlanState> condition) => daemon.WaitForAsync(LocalApi.Plan, LocalJson.Default.PlanState, condition);

    private Task SetAsync(string key, string value) =>
        daemon.SendAsync(HttpMethod.Put, $"{LocalApi.Options}/{key}", JsonContent.Create(new OptionChange(value), LocalJson.Default.OptionChange));
}
