using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Names;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Connect beside OpenVPN and WireGuard themselves, with their own routes, rules and marks. No host behind the VPN misses an answer.</summary>
public sealed class RealVpnTests(SharedCluster cluster) : ConnectTest(cluster)
{
    [Fact]
    public async Task OpenVpn_split_tunnel_before_and_after_connect()
    {
        var laptop = await NewTravellerAsync();
        var (outside, within) = (Outside(0), Services.Part().Address(5));
        await using var vpn = await VpnServer.CreateAsync(laptop, outside, within);
        await vpn.StartOpenVpnServerAsync([.. Around.Select(network => $"route {network.Split('/')[0]} 255.0.0.0")]);
        await using (await vpn.StartOpenVpnClientAsync())
        {
            var (far, inside) = (await Prober.StartAsync(laptop, outside), await Prober.StartAsync(laptop, within));
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await PlannedAsync(laptop)).ShouldBe((Virtual, Virtual));
            await ShouldAnswerVirtuallyAsync(laptop);
            var told = (await laptop.FairleadAsync("doctor")).Output.Split('\n').Single(line => line.Contains("tun0 (tun) with", StringComparison.Ordinal));
            Around.Append(VpnServer.OpenVpnNetwork).ShouldAllBe(network => told.Contains(network));
            await far.ShouldHaveLostNothingAsync();
            await inside.ShouldHaveLostNothingAsync();
        }

        await ShouldPlanAsync(laptop, Routed, Routed);
        await ShouldAnswerAsync(laptop);
        await using (await vpn.StartOpenVpnClientAsync())
        {
            await ShouldPlanAsync(laptop, Virtual, Virtual);
            await (await Prober.StartAsync(laptop, within)).ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public async Task OpenVpn_full_tunnel_with_half_defaults_and_pushed_server_of_names()
    {
        var laptop = await NewTravellerAsync();
        await using var vpn = await VpnServer.CreateAsync(laptop, "203.0.113.5");
        await vpn.StartOpenVpnServerAsync("redirect-gateway local def1", $"dhcp-option DNS {VpnServer.OpenVpnAddress}");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        var frontend = $"http://{await ServiceAddressAsync("frontend")}/";
        await using (await vpn.StartOpenVpnClientAsync())
        {
            var prober = await Prober.StartAsync(laptop, "203.0.113.5");
            (await laptop.Host.RunAsync("ip", "route")).Text.ShouldContain("128.0.0.0/1");
            (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
            await ShouldAnswerAsync(laptop, frontend);
            (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            await ShouldAnswerAsync(laptop, frontend);
            await prober.ShouldHaveLostNothingAsync();
        }

        await ShouldAnswerAsync(laptop, frontend);
    }

    [Fact]
    public async Task OpenVpn_whose_script_rewrites_resolv_conf_while_connected()
    {
        var laptop = await NewTravellerAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7");
        await laptop.Host.WriteAsync("/etc/resolv.conf", $"nameserver {NamesLaptop.NetworkServer}\noptions timeout:1 attempts:1\n");
        await using var vpn = await VpnServer.CreateAsync(laptop);
        await vpn.StartOpenVpnServerAsync("route 203.0.113.0 255.255.255.0", $"dhcp-option DNS {VpnServer.OpenVpnAddress}");
        await vpn.StartNamesAsync("vpn.example", "192.0.2.8");
        await vpn.UseScriptForNamesAsync();
        var before = await SnapshotAsync(laptop);
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await laptop.LookUpAsync("wiki.corp.example")).ShouldBe("192.0.2.7");
        (await laptop.LookUpAsync("db.vpn.example")).ShouldBeNull();

        await using (await vpn.StartOpenVpnClientAsync())
        {
            await laptop.EventuallyResolvesAsync("db.vpn.example", "192.0.2.8");
            await laptop.EventuallyResolvesAsync("frontend.shop", await ServiceAddressAsync("frontend"));
            await ShouldAnswerAsync(laptop, "http://frontend.shop/");
        }

        await laptop.EventuallyResolvesAsync("intranet.corp.example", "192.0.2.7");
        await laptop.EventuallyResolvesAsync("frontend.shop", await ServiceAddressAsync("frontend"));
        await ShouldAnswerAsync(laptop, "http://frontend.shop/");

        // And the other way round: the VPN was there first, and goes while connected.
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
        await using (await vpn.StartOpenVpnClientAsync())
        {
            await laptop.EventuallyResolvesAsync("db.vpn.example", "192.0.2.8");
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await laptop.LookUpAsync("mail.vpn.example")).ShouldBe("192.0.2.8");
            (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
        }

        await laptop.EventuallyResolvesAsync("wiki.corp.example", "192.0.2.7");
        await laptop.EventuallyResolvesAsync("frontend.shop", await ServiceAddressAsync("frontend"));
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task WireGuard_with_policy_routing_and_a_mark()
    {
        var laptop = await NewTravellerAsync();
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
            (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
            await ShouldAnswerAsync(laptop, frontend);
            await prober.ShouldHaveLostNothingAsync();
        }

        await ShouldAnswerAsync(laptop, frontend);
    }

    [Fact]
    public async Task WireGuard_with_a_route_inside_the_pods_and_a_second_vpn_around_the_services()
    {
        var laptop = await NewTravellerAsync();
        var (within, part) = (Services.Part().Address(5), Pods.Part());
        await using var vpn = await VpnServer.CreateAsync(laptop, part.Address(5));
        await using var second = await Office.CreateAsync(laptop, "tun1", "198.19.207", within);
        await second.RouteAsync(Services.Around(Services.Network.PrefixLength - 3));
        await vpn.StartWireGuardServerAsync($"{VpnServer.WireGuardNetwork}, {part}");
        await using (await vpn.StartWireGuardClientAsync())
        {
            var (one, other) = (await Prober.StartAsync(laptop, part.Address(5)), await Prober.StartAsync(laptop, within));
            (await laptop.FairleadAsync("connect")).ShouldSucceed();
            (await PlannedAsync(laptop)).ShouldBe((Virtual, Virtual));
            await ShouldAnswerVirtuallyAsync(laptop);
            await one.ShouldHaveLostNothingAsync();
            await other.ShouldHaveLostNothingAsync();
        }

        await ShouldPlanAsync(laptop, Virtual, Routed);
        await ShouldAnswerAsync(laptop, services: false);
    }

    [Fact]
    public async Task Kill_switch_is_named_by_doctor()
    {
        var laptop = await NewTravellerAsync();
        await laptop.Host.RunAsync("nft", "add table inet vpn; add chain inet vpn out { type filter hook output priority 0; policy drop; }; add rule inet vpn out oifname { \"lo\", \"eth0\", \"tun0\" } accept").ShouldSucceedAsync();
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("inet vpn out");
        await laptop.Host.RunAsync("nft", "insert rule inet vpn out oifname \"fairlead0\" accept").ShouldSucceedAsync();
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("Nothing keeps programs from sending by fairlead0");
    }
}
