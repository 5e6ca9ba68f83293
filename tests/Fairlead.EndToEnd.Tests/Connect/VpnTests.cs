using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Connect beside routes as VPNs set them. A host behind the VPN is probed all the time: it never misses an answer.</summary>
public sealed class VpnTests(SharedCluster cluster) : ConnectTest(cluster)
{
    [Fact]
    public async Task Network_around_the_cluster_gives_it_virtual_addresses_and_keeps_its_own_hosts()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "10.20.0.5", "10.96.0.77");
        await office.RouteAsync("10.0.0.0/8");
        var prober = await Prober.StartAsync(laptop, "10.20.0.5");
        var inside = await Prober.StartAsync(laptop, "10.96.0.77");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Virtual 246.246.0.0/16", $"{Pods} Virtual 246.247.0.0/16"]);
        await ShouldAnswerAsync(laptop, $"http://{Virtual(await ServiceAddressAsync("frontend"), "246.246")}/");
        await ShouldAnswerAsync(laptop, $"http://{Virtual(await PodAddressAsync("frontend"), "246.247")}:8080/");
        (await laptop.ResolveAsync("frontend.shop")).ToString().ShouldBe(Virtual(await ServiceAddressAsync("frontend"), "246.246"));
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        await prober.ShouldHaveLostNothingAsync();
        await inside.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Refusal_says_what_and_how_and_changes_nothing()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        (await laptop.FairleadAsync("options", "set", "auto-resolve-conflicts", "false")).ShouldSucceed();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "10.96.0.77");
        await office.RouteAsync("10.0.0.0/8");
        var before = await SnapshotAsync(laptop);
        var prober = await Prober.StartAsync(laptop, "10.96.0.77");
        var refused = (await laptop.FairleadAsync("connect")).ShouldFail(5);
        refused.Error.ShouldContain("subnet 10.96.0.0/16 overlaps with existing route \"10.0.0.0/8 via 10.8.0.1 dev tun0\"");
        refused.Error.ShouldContain("fairlead connect --vnat 10.96.0.0/16 --vnat 10.244.0.0/16");
        refused.Error.ShouldContain("fairlead connect --allow-conflicting-subnets 10.96.0.0/16 --allow-conflicting-subnets 10.244.0.0/16");
        (await SnapshotAsync(laptop)).ShouldBe(before);
        (await EntriesAsync(laptop)).ShouldBe([$"{Services} Refused", $"{Pods} Refused"]);

        // A command as it was printed, with its comment.
        var command = refused.Error.Split('\n').Single(line => line.Contains("--allow-conflicting-subnets")).Trim();
        (await laptop.Host.ShellAsync(command.Replace("fairlead", Programs.Fairlead, StringComparison.Ordinal))).ShouldSucceed();
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await prober.StopAsync();
    }

    [Fact]
    public async Task What_is_allowed_goes_to_the_cluster_and_the_rest_stays_with_the_vpn()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        (await laptop.FairleadAsync("options", "set", "auto-resolve-conflicts", "false")).ShouldSucceed();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "10.20.0.5", "10.97.0.1");
        await office.RouteAsync("10.0.0.0/8");
        var (low, beside) = (await Prober.StartAsync(laptop, "10.20.0.5"), await Prober.StartAsync(laptop, "10.97.0.1"));
        (await laptop.FairleadAsync("connect", "--allow-conflicting-subnets", "10.96.0.0/16", "--allow-conflicting-subnets", "10.128.0.0/9")).ShouldSucceed();
        (await EntriesAsync(laptop)).ShouldBe([$"{Services} Routed", $"{Pods} Routed"]);
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await ShouldAnswerAsync(laptop, $"http://{await PodAddressAsync("frontend")}:8080/");
        await low.ShouldHaveLostNothingAsync();
        await beside.ShouldHaveLostNothingAsync();
    }

    [Theory]
    [InlineData("10.96.7.0/24", "10.96.7.7", "more specific")]
    [InlineData("10.96.0.0/16", "10.96.7.7", "identical")]
    public async Task Route_inside_the_services_keeps_its_hosts(string route, string host, string what)
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", host);
        await office.RouteAsync(route);
        var prober = await Prober.StartAsync(laptop, host);
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Virtual 246.246.0.0/16", $"{Pods} Routed"], what);
        await ShouldAnswerAsync(laptop, $"http://{Virtual(await ServiceAddressAsync("frontend"), "246.246")}/");
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Vpns_that_come_change_and_go_while_connected_are_followed()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "10.96.0.77", "172.20.0.5");
        await using var second = await Office.CreateAsync(laptop, "tun1", "10.9.0", "10.244.0.200");
        await office.RouteAsync("172.20.0.0/16");
        var prober = await Prober.StartAsync(laptop, "172.20.0.5");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await ShouldPlanAsync(laptop, $"{Services} Routed", $"{Pods} Routed");

        // Comes.
        var began = Stopwatch.GetTimestamp();
        await office.RouteAsync("10.96.0.0/16");
        await ShouldPlanAsync(laptop, $"{Services} Virtual 246.246.0.0/16", $"{Pods} Routed");
        TestContext.Current.SendDiagnosticMessage($"followed after {Stopwatch.GetElapsedTime(began)}");
        (await PlanAsync(laptop)).GetProperty("cause").GetString().ShouldBe("route 10.96.0.0/16 dev tun0 came");
        var vpn = await Prober.StartAsync(laptop, "10.96.0.77");
        await ShouldAnswerAsync(laptop, $"http://{Virtual(await ServiceAddressAsync("frontend"), "246.246")}/");

        // A flow that does not move lives on.
        using var session = laptop.Host.Start("socat", "STDIO", $"TCP:{Virtual(await ServiceAddressAsync("echo"), "246.246")}:7");
        await session.StandardInput.WriteLineAsync("before");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe("before");

        // A second one, with the pods.
        await second.RouteAsync("10.244.0.0/24");
        await ShouldPlanAsync(laptop, $"{Services} Virtual 246.246.0.0/16", $"{Pods} Virtual 246.247.0.0/16");
        await (await Prober.StartAsync(laptop, "10.244.0.200")).ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));
        await ShouldAnswerAsync(laptop, $"http://{Virtual(await PodAddressAsync("frontend"), "246.247")}:8080/");

        // Changes: the second one wants less, and goes as a whole.
        await laptop.Host.RunAsync("ip", "link", "del", "tun1").ShouldSucceedAsync();
        await ShouldPlanAsync(laptop, $"{Services} Virtual 246.246.0.0/16", $"{Pods} Routed");
        await session.StandardInput.WriteLineAsync("after");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe("after");
        session.StandardInput.Close();

        await vpn.ShouldHaveLostNothingAsync();
        await office.UnrouteAsync("10.96.0.0/16");
        await ShouldPlanAsync(laptop, $"{Services} Routed", $"{Pods} Routed");
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Default_route_of_a_vpn_is_no_conflict_and_the_gateway_is_reached_as_before()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "203.0.113.5");
        await laptop.Host.ShellAsync($"ip route add {Cluster.NodeAddress} via 10.{100 + laptop.Number}.0.1").ShouldSucceedAsync();
        await office.RouteAsync("0.0.0.0/1");
        await office.RouteAsync("128.0.0.0/1");
        var prober = await Prober.StartAsync(laptop, "203.0.113.5");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await EntriesAsync(laptop)).ShouldBe([$"{Services} Routed", $"{Pods} Routed"]);
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Never_proxied_addresses_keep_their_way()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", "10.8.0", "10.96.7.7");
        await office.RouteAsync("10.96.7.0/24");
        var prober = await Prober.StartAsync(laptop, "10.96.7.7");
        (await laptop.FairleadAsync("connect", "--never-proxy", "10.96.7.0/24")).ShouldSucceed();
        (await EntriesAsync(laptop)).ShouldBe([$"{Services} Routed", $"{Pods} Routed", "10.96.7.0/24 Never"]);
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await prober.ShouldHaveLostNothingAsync();
    }
}
