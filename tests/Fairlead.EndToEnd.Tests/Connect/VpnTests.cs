using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Connect beside routes as VPNs set them. A host behind the VPN is probed all the time: it never misses an answer.</summary>
public sealed class VpnTests(SharedCluster cluster) : ConnectTest(cluster)
{
    private const string Link = "198.19.208";
    private const string SecondLink = "198.19.209";

    [Fact]
    public async Task Network_around_the_cluster_gives_it_virtual_addresses_and_keeps_its_own_hosts()
    {
        var laptop = await NewTravellerAsync();
        var (outside, inside) = (Outside(0), Services.Part().Address(5));
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, outside, inside);
        await RouteAroundAsync(office);
        var (one, other) = (await Prober.StartAsync(laptop, outside), await Prober.StartAsync(laptop, inside));
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await PlannedAsync(laptop)).ShouldBe((Virtual, Virtual));
        await ShouldAnswerVirtuallyAsync(laptop);
        (await laptop.ResolveAsync("frontend.shop")).ToString().ShouldBe(await VirtualAsync(laptop, Services, await ServiceAddressAsync("frontend")));
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        await one.ShouldHaveLostNothingAsync();
        await other.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Refusal_says_what_and_how_and_changes_nothing()
    {
        var laptop = await NewTravellerAsync();
        (await laptop.FairleadAsync("options", "set", "auto-resolve-conflicts", "false")).ShouldSucceed();
        var inside = Services.Part().Address(5);
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, inside);
        await RouteAroundAsync(office);
        var before = await SnapshotAsync(laptop);
        var prober = await Prober.StartAsync(laptop, inside);
        var refused = (await laptop.FairleadAsync("connect")).ShouldFail(5);
        refused.Error.ShouldContain($"subnet {Services} overlaps with existing route \"{Services.Around(8)} via {office.Gateway} dev tun0\"");
        refused.Error.ShouldContain($"subnet {Pods} overlaps with existing route \"{Pods.Around(8)} via {office.Gateway} dev tun0\"");
        refused.Error.ShouldContain($"fairlead connect --vnat {Services} --vnat {Pods}");
        refused.Error.ShouldContain($"fairlead connect --allow-conflicting-subnets {Services} --allow-conflicting-subnets {Pods}");
        (await SnapshotAsync(laptop)).ShouldBe(before);
        (await PlannedAsync(laptop)).ShouldBe((Refused, Refused));

        // A command as it was printed, with its comment.
        var command = refused.Error.Split('\n').Single(line => line.Contains("--allow-conflicting-subnets")).Trim();
        (await laptop.Host.ShellAsync(command.Replace("fairlead", Programs.Fairlead, StringComparison.Ordinal))).ShouldSucceed();
        await ShouldAnswerAsync(laptop);
        await prober.StopAsync();
    }

    [Fact]
    public async Task What_is_allowed_goes_to_the_cluster_and_the_rest_stays_with_the_vpn()
    {
        var laptop = await NewTravellerAsync();
        (await laptop.FairleadAsync("options", "set", "auto-resolve-conflicts", "false")).ShouldSucceed();
        var (low, beside) = (Outside(0), Outside(100));
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, low, beside);
        await RouteAroundAsync(office);
        var (one, other) = (await Prober.StartAsync(laptop, low), await Prober.StartAsync(laptop, beside));
        (await laptop.FairleadAsync("connect", "--allow-conflicting-subnets", $"{Services}", "--allow-conflicting-subnets", Pods.Around(9))).ShouldSucceed();
        (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
        await ShouldAnswerAsync(laptop);
        await one.ShouldHaveLostNothingAsync();
        await other.ShouldHaveLostNothingAsync();
    }

    [Theory]
    [InlineData("more specific")]
    [InlineData("identical")]
    public async Task Route_inside_the_services_keeps_its_hosts(string what)
    {
        var laptop = await NewTravellerAsync();
        var part = Services.Part();
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, part.Address(5));
        await office.RouteAsync(what == "identical" ? $"{Services}" : $"{part}");
        var prober = await Prober.StartAsync(laptop, part.Address(5));
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await PlannedAsync(laptop)).ShouldBe((Virtual, Routed), what);
        await ShouldAnswerVirtuallyAsync(laptop, pods: false);
        await ShouldAnswerAsync(laptop, services: false);
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Vpns_that_come_change_and_go_while_connected_are_followed()
    {
        const string Elsewhere = "192.0.2.5";
        var laptop = await NewTravellerAsync();
        var (inside, part) = (Services.Part().Address(5), Pods.Part());
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, inside, Elsewhere);
        await using var second = await Office.CreateAsync(laptop, "tun1", SecondLink, part.Address(5));
        await office.RouteAsync("192.0.2.0/24");
        var prober = await Prober.StartAsync(laptop, Elsewhere);
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await ShouldPlanAsync(laptop, Routed, Routed);

        // Comes.
        var began = Stopwatch.GetTimestamp();
        await office.RouteAsync($"{Services}");
        await ShouldPlanAsync(laptop, Virtual, Routed);
        TestContext.Current.SendDiagnosticMessage($"followed after {Stopwatch.GetElapsedTime(began)}");
        (await PlanAsync(laptop)).GetProperty("cause").GetString().ShouldBe($"route {Services} dev tun0 came");
        var vpn = await Prober.StartAsync(laptop, inside);
        await ShouldAnswerVirtuallyAsync(laptop, pods: false);

        // A flow that does not move lives on.
        using var session = laptop.Host.Start("socat", "STDIO", $"TCP:{await VirtualAsync(laptop, Services, await ServiceAddressAsync("echo"))}:7");
        await session.StandardInput.WriteLineAsync("before");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("before");

        // A second one, with some of the pods.
        await second.RouteAsync($"{part}");
        await ShouldPlanAsync(laptop, Virtual, Virtual);
        await (await Prober.StartAsync(laptop, part.Address(5))).ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));
        await ShouldAnswerVirtuallyAsync(laptop);

        // Changes: the second one goes as a whole.
        await laptop.Host.RunAsync("ip", "link", "del", "tun1").ShouldSucceedAsync();
        await ShouldPlanAsync(laptop, Virtual, Routed);
        await session.StandardInput.WriteLineAsync("after");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("after");
        session.StandardInput.Close();

        await vpn.ShouldHaveLostNothingAsync();
        await office.UnrouteAsync($"{Services}");
        await ShouldPlanAsync(laptop, Routed, Routed);
        await ShouldAnswerAsync(laptop);
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Default_route_of_a_vpn_is_no_conflict_and_the_gateway_is_reached_as_before()
    {
        var laptop = await NewTravellerAsync();
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, "203.0.113.5");
        await office.RouteAsync("0.0.0.0/1");
        await office.RouteAsync("128.0.0.0/1");
        var prober = await Prober.StartAsync(laptop, "203.0.113.5");
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
        await ShouldAnswerAsync(laptop);
        await prober.ShouldHaveLostNothingAsync();
    }

    [Fact]
    public async Task Never_proxied_addresses_keep_their_way()
    {
        var laptop = await NewTravellerAsync();
        var part = Services.Part(await ServiceAddressAsync("frontend"));
        await using var office = await Office.CreateAsync(laptop, "tun0", Link, part.Address(5));
        await office.RouteAsync($"{part}");
        var prober = await Prober.StartAsync(laptop, part.Address(5));
        (await laptop.FairleadAsync("connect", "--never-proxy", $"{part}")).ShouldSucceed();
        (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
        (await EntriesAsync(laptop)).ShouldContain(($"{part}", "Never", null));
        await ShouldAnswerAsync(laptop);
        await prober.ShouldHaveLostNothingAsync();
    }

    private async Task RouteAroundAsync(Office office)
    {
        foreach (var network in Around)
        {
            await office.RouteAsync(network);
        }
    }
}
