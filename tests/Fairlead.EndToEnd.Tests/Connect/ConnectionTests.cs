using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>The life of a connection, without any VPN.</summary>
public sealed class ConnectionTests(SharedCluster cluster) : ConnectTest(cluster)
{
    [Fact]
    public async Task Services_and_pods_answer_by_their_addresses_until_disconnected()
    {
        var laptop = await NewTravellerAsync();
        var before = await SnapshotAsync(laptop);
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await ShouldAnswerAsync(laptop);
        await ShouldAnswerAsync(laptop, "http://frontend.shop/");
        (await laptop.ResolveAsync("frontend.shop")).ToString().ShouldBe(await ServiceAddressAsync("frontend"));
        (await PlannedAsync(laptop)).ShouldBe((Routed, Routed));
        (await laptop.FairleadAsync("status")).Text.ShouldContain("Connect");

        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
        (await laptop.FairleadAsync("quit")).ShouldFail(3).Error.ShouldContain("Nothing is connected");
    }

    [Fact]
    public async Task Everything_is_undone_by_stop_and_by_start_and_cleanup_after_a_kill()
    {
        var laptop = await NewTravellerAsync();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        var before = await SnapshotAsync(laptop);

        await laptop.StartAsync();
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);

        await laptop.StartAsync();
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await laptop.KillDaemonAsync();
        await laptop.StartAsync();
        (await laptop.Host.ShellAsync("ip rule; ip -6 rule; ip route show table 64030")).Text.ShouldNotContain("64030");
        (await laptop.FairleadAsync("plan", "-o", "json")).Text.ShouldContain("\"inForce\": false");

        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await laptop.KillDaemonAsync();
        (await laptop.FairleadAsync("cleanup")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task Routes_and_device_that_somebody_takes_away_come_back()
    {
        var laptop = await NewTravellerAsync();
        var frontend = $"http://{await ServiceAddressAsync("frontend")}/";
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        await laptop.Host.ShellAsync($"ip route flush table 64030; ip rule del to {Services}").ShouldSucceedAsync();
        await Shell.EventuallyAsync("the routes are back", async () => (await laptop.CurlAsync(frontend, "-o", "/dev/null", "--max-time", "2")).ExitCode == 0, TimeSpan.FromSeconds(20));

        await laptop.Host.ShellAsync("ip link del $(ip -o link | grep -o 'fairlead[0-9]*' | head -1)").ShouldSucceedAsync();
        await Shell.EventuallyAsync("the device is back", async () => (await laptop.CurlAsync(frontend, "-o", "/dev/null", "--max-time", "2")).ExitCode == 0, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Command_runs_while_connected_and_its_exit_code_is_passed_on()
    {
        var laptop = await NewTravellerAsync();
        var before = await SnapshotAsync(laptop);
        var frontend = await ServiceAddressAsync("frontend");
        var outcome = await laptop.FairleadAsync("connect", "--", "sh", "-c", $"curl -sS -o /dev/null http://{frontend}/ && curl -sS -o /dev/null http://frontend.shop/ && exit 42");
        outcome.ShouldFail(42);
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task Bad_requests_are_refused_before_anything_changes()
    {
        var laptop = await NewTravellerAsync();
        var before = await SnapshotAsync(laptop);
        (await laptop.FairleadAsync("connect", "--also-proxy", "10.0.0.1/8")).ShouldFail(2).Error.ShouldContain("'10.0.0.0/8' has none");
        (await laptop.FairleadAsync("connect", "--proxy-via", "10.0.0.0/8=shop/deployment/frontend", "--proxy-via", "10.1.0.0/16=shop/deployment/catalog")).ExitCode.ShouldNotBe(0);
        (await laptop.FairleadAsync("connect", "--proxy-via", "10.0.0.0/8=shop/deployment/nobody")).ExitCode.ShouldNotBe(0);
        (await laptop.FairleadAsync("connect", "frontend")).ShouldFail(2).Error.ShouldContain("behind --");
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }
}
