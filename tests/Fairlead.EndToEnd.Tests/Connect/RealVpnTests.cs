using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Connect beside OpenVPN and WireGuard themselves, with their own routes, rules and marks. No host behind the VPN misses an answer.</summary>
public sealed class RealVpnTests(SharedCluster cluster) : ConnectTest(cluster)
{
    [Fact]
    public async Task OpenVpn_split_tunnel_before_and_after_connect()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var vpn = await VpnServer.CreateAsync(laptop, "10.20.0.5", "10.96.0.77");
        await vpn.StartOpenVpnServerAsync("route 10.0.0.0 255.0.0.0");
        await using (await vpn.StartOpenVpnClientAsync())
        {
            var (far, inside) = (await Prober.StartAsync(laptop, "10.20.0.5"), await Prober.StartAsync(laptop, "10.96.0.77"));
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Virtual 246.246.0.0/16", $"{Pods} Virtual 246.247.0.0/16"]);
            await ShouldAnswerAsync(laptop, $"http://{Virtual(await ServiceAddressAsync("frontend"), "246.246")}/");
            (await laptop.FairleadAsync("doctor")).Output.ShouldContain("tun0 (tun) with 10.0.0.0/8, 10.8.0.0/24");
            await far.ShouldHaveLostNothingAsync();
            await inside.ShouldHaveLostNothingAsync();
        }

        await ShouldPlanAsync(laptop, $"{Services} Routed", $"{Pods} Routed");
        await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        await using (await vpn.StartOpenVpnClientAsync())
        {
            await ShouldPlanAsync(laptop, $"{Services} Virtual 246.246.0.0/16", $"{Pods} Virtual 246.247.0.0/16");
            await (await Prober.StartAsync(laptop, "10.96.0.77")).ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public async Task OpenVpn_full_tunnel_with_half_defaults_and_pushed_server_of_names()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await KeepGatewayAsync(laptop);
        await using var vpn = await VpnServer.CreateAsync(laptop, "203.0.113.5");
        await vpn.StartOpenVpnServerAsync("redirect-gateway local def1", "dhcp-option DNS 10.8.0.1");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        var frontend = $"http://{await ServiceAddressAsync("frontend")}/";
        await using (await vpn.StartOpenVpnClientAsync())
        {
            var prober = await Prober.StartAsync(laptop, "203.0.113.5");
            (await laptop.Host.RunAsync("ip", "route")).Text.ShouldContain("128.0.0.0/1");
            (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Routed", $"{Pods} Routed"]);
            await ShouldAnswerAsync(laptop, frontend);
            (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            await ShouldAnswerAsync(laptop, frontend);
            await prober.ShouldHaveLostNothingAsync();
        }

        await ShouldAnswerAsync(laptop, frontend);
    }

    [Fact]
    public async Task WireGuard_with_policy_routing_and_a_mark()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await KeepGatewayAsync(laptop);
        await using var vpn = await VpnServer.CreateAsync(laptop, "203.0.113.5");
        await vpn.StartWireGuardServerAsync("0.0.0.0/0");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        var frontend = $"http://{await ServiceAddressAsync("frontend")}/";
        await using (await vpn.StartWireGuardClientAsync())
        {
            (await laptop.Host.RunAsync("ip", "rule")).Text.ShouldContain("not from all fwmark 0xca6c lookup 51820");
            var prober = await Prober.StartAsync(laptop, "203.0.113.5");

            // A rule that names no priority gets the one before ours: we go before it again, a moment later.
            await Shell.EventuallyAsync("the cluster answers", async () => (await laptop.CurlAsync(frontend, "-o", "/dev/null", "--max-time", "2")).ExitCode == 0, TimeSpan.FromSeconds(20));
            (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Routed", $"{Pods} Routed"]);
            await ShouldAnswerAsync(laptop, frontend);
            await prober.ShouldHaveLostNothingAsync();
        }

        await ShouldAnswerAsync(laptop, frontend);
    }

    [Fact]
    public async Task WireGuard_with_a_route_inside_the_pods_and_a_second_vpn_around_the_services()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await using var vpn = await VpnServer.CreateAsync(laptop, "10.244.200.7");
        await using var second = await Office.CreateAsync(laptop, "tun1", "10.7.0", "10.96.0.77");
        await second.RouteAsync("10.96.0.0/12");
        await vpn.StartWireGuardServerAsync("10.9.0.0/24, 10.244.200.0/24");
        await using (await vpn.StartWireGuardClientAsync())
        {
            var (one, other) = (await Prober.StartAsync(laptop, "10.244.200.7"), await Prober.StartAsync(laptop, "10.96.0.77"));
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await EntriesAsync(laptop)).Take(2).ShouldBe([$"{Services} Virtual 246.246.0.0/16", $"{Pods} Virtual 246.247.0.0/16"]);
            await ShouldAnswerAsync(laptop, $"http://{Virtual(await PodAddressAsync("frontend"), "246.247")}:8080/");
            await one.ShouldHaveLostNothingAsync();
            await other.ShouldHaveLostNothingAsync();
        }

        await ShouldPlanAsync(laptop, $"{Services} Virtual 246.246.0.0/16", $"{Pods} Routed");
        await ShouldAnswerAsync(laptop, $"http://{await PodAddressAsync("frontend")}:8080/");
    }

    [Fact]
    public async Task Kill_switch_is_named_by_doctor()
    {
        var laptop = await NewMemberOfKnownSubnetsAsync();
        await laptop.Host.RunAsync("nft", "add table inet vpn; add chain inet vpn out { type filter hook output priority 0; policy drop; }; add rule inet vpn out oifname { \"lo\", \"eth0\", \"tun0\" } accept").ShouldSucceedAsync();
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("inet vpn out");
        await laptop.Host.RunAsync("nft", "insert rule inet vpn out oifname \"fairlead0\" accept").ShouldSucceedAsync();
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("Nothing keeps programs from sending by fairlead0");
    }

    /// <summary>These VPNs lead nowhere but to their server: the way to the gateway stays beside them, as with a VPN that excludes it.</summary>
    private Task KeepGatewayAsync(Laptop laptop) => laptop.Host.RunAsync("ip", "route", "add", Cluster.NodeAddress, "via", $"10.{100 + laptop.Number}.0.1").ShouldSucceedAsync();
}
