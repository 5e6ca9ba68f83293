using System.Globalization;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Names;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>What else changes on a laptop while it is connected, and what else answers names there.</summary>
public sealed class HostChangesTests(SharedCluster cluster) : ConnectTest(cluster)
{
    /// <summary>
    /// As a laptop sleeps: its programs stand still, the clock on the wall goes on and the one that measures time does not know, and when it wakes
    /// in another network, links and routes have changed meanwhile.
    /// </summary>
    [Fact]
    public async Task Laptop_that_sleeps_and_wakes_in_a_network_with_the_clusters_addresses_goes_on_by_virtual_ones()
    {
        var laptop = await NewTravellerAsync();
        await laptop.SetClockAsync("+0");
        await laptop.RestartAsync();
        await using var office = await Office.CreateAsync(laptop, "wlan0", "198.19.208", Services.Part().Address(5));
        await Shell.EventuallyAsync("the addresses have settled", async () => !(await laptop.Host.RunAsync("ip", "address")).Text.Contains("tentative"));
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await ShouldAnswerAsync(laptop);

        var daemon = (await laptop.DaemonPidAsync()).ToString(CultureInfo.InvariantCulture);
        await laptop.Host.RunAsync("kill", "-STOP", daemon).ShouldSucceedAsync();
        await laptop.CutLinkAsync();

        // Longer than the gateway waits for a silent laptop.
        await Task.Delay(TimeSpan.FromSeconds(15));
        await laptop.SetClockAsync("+8h");
        await laptop.RestoreLinkAsync();
        foreach (var node in Cluster.NodeAddresses)
        {
            await laptop.Host.RunAsync("ip", "route", "replace", node, "via", laptop.Gateway).ShouldSucceedAsync();
        }

        await office.RouteAsync($"{Services}");
        await laptop.Host.RunAsync("kill", "-CONT", daemon).ShouldSucceedAsync();

        await ShouldPlanAsync(laptop, Virtual, Routed);
        await Shell.EventuallyAsync("the cluster answers", async () => (await laptop.CurlAsync("http://frontend.shop/", "-o", "/dev/null")).ExitCode == 0, TimeSpan.FromSeconds(30));
        await ShouldAnswerVirtuallyAsync(laptop, pods: false);
        await ShouldAnswerAsync(laptop, services: false);
        await (await Prober.StartAsync(laptop, Services.Part().Address(5))).ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));

        await office.UnrouteAsync($"{Services}");
        await ShouldPlanAsync(laptop, Routed, Routed);
        await ShouldAnswerAsync(laptop);
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        (await laptop.Host.ShellAsync("ip rule; ip -6 rule; ip route show table all")).Text.ShouldNotContain("64030");
    }

    [Fact]
    public async Task Cache_of_names_forgets_when_the_clusters_names_come_and_go()
    {
        var laptop = await NewTravellerAsync();

        // There are no such names for the network's own server.
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7", "--address=/shop/");
        await laptop.Host.WriteAsync("/etc/resolv.conf", $"nameserver {NamesLaptop.NetworkServer}\noptions timeout:1 attempts:1\n");
        await NameServiceCache.StartAsync(laptop);
        laptop.Environment["PATH"] = $"{NameServiceCache.Binaries}:{Environment.GetEnvironmentVariable("PATH")}";
        await laptop.RestartAsync();
        var before = await SnapshotAsync(laptop);
        (await laptop.LookUpAsync("frontend.shop")).ShouldBeNull();
        (await laptop.LookUpAsync("wiki.corp.example")).ShouldBe("192.0.2.7");
        (await NameServiceCache.EntriesAsync(laptop)).ShouldBeGreaterThan(0);

        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await laptop.LookUpAsync("frontend.shop")).ShouldBe(await ServiceAddressAsync("frontend"));
        await ShouldAnswerAsync(laptop, "http://frontend.shop/");
        (await laptop.LookUpAsync("wiki.corp.example")).ShouldBe("192.0.2.7");

        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        (await laptop.LookUpAsync("frontend.shop")).ShouldBeNull();
        (await laptop.LookUpAsync("wiki.corp.example")).ShouldBe("192.0.2.7");
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }
}
