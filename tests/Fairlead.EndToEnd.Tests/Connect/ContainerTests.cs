using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary><c>connect --docker</c> with podman: the daemon's network is a container's, this host's stays as it was.</summary>
public sealed class ContainerTests(SharedCluster cluster) : ConnectTest(cluster)
{
    private static readonly string[] Engine = ["veth", "CNI-", "10.88."];

    [Fact]
    public async Task Containers_that_join_reach_the_cluster_and_the_host_stays_as_it_was()
    {
        var (laptop, podman) = await NewPodmanLaptopAsync();
        var (before, whole) = (await HostAsync(laptop), await SnapshotAsync(laptop));
        await JoinAsync(laptop);
        (await laptop.FairleadAsync("connect", "--docker")).ShouldSucceed().Output.ShouldContain("Connected to space");
        (await podman.ContainersAsync()).ShouldBe(["idle", "fairlead"]);
        (await HostAsync(laptop)).ShouldBe(before);

        var address = await ServiceAddressAsync("frontend");
        (await podman.JoinedAsync($"""
            for name in frontend.shop frontend.shop.svc.cluster.local {address}; do curl -sS --max-time 10 http://$name/healthz; done
            getent ahostsv4 frontend.shop | head -n 1 | cut -d' ' -f1
            curl -sS --max-time 10 http://frontend.shop:81/ 2> /dev/null; echo $?
            exec 3<>/dev/udp/quotes.shop/17; echo please >&3; timeout 10 dd bs=600 count=1 status=none <&3 | grep -q . && echo quoted
            """)).Text.Split('\n').ShouldBe(["ok", "ok", "ok", address, "7", "quoted"]);
        (await laptop.FairleadAsync("status", "--docker")).Text.ShouldContain("Connect");
        (await laptop.FairleadAsync("plan", "--docker")).Text.ShouldContain("services of the cluster");
        (await laptop.Host.RunAsync("getent", "hosts", "frontend.shop")).ShouldFail(2);
        (await laptop.CurlAsync($"http://{address}/", "--max-time", "2")).ExitCode.ShouldNotBe(0);
        (await HostAsync(laptop)).ShouldBe(before);

        (await laptop.FairleadAsync("disconnect", "--docker")).ShouldSucceed().Output.ShouldContain("the daemon's container is removed");
        (await podman.ContainersAsync()).ShouldBe(["idle"]);
        (await SnapshotAsync(laptop)).ShouldBe(whole);
    }

    [Fact]
    public async Task Space_outlives_its_container_also_when_that_is_killed()
    {
        var (laptop, podman) = await NewPodmanLaptopAsync();
        var before = await SnapshotAsync(laptop);
        await JoinAsync(laptop);
        (await laptop.FairleadAsync("connect", "--docker")).ShouldSucceed();
        (await podman.RunAsync("kill", "--signal", "KILL", "fairlead")).ShouldSucceed();
        await Shell.EventuallyAsync("nothing of it is in the host's network", async () => await SnapshotAsync(laptop) == before);

        (await laptop.FairleadAsync("connect", "--docker")).ShouldSucceed();
        (await podman.JoinedAsync("curl -sS --max-time 10 http://frontend.shop/healthz")).Text.ShouldBe("ok");
        (await podman.RunAsync("kill", "--signal", "KILL", "fairlead")).ShouldSucceed();
        (await laptop.FairleadAsync("disconnect", "--docker")).ShouldSucceed();
        (await podman.ContainersAsync()).ShouldBe(["idle"]);
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task Image_that_can_t_be_had_or_run_or_that_is_another_is_refused_with_what_to_do()
    {
        var (laptop, podman) = await NewPodmanLaptopAsync();
        var before = await SnapshotAsync(laptop);

        // A root file system with nothing in it.
        await laptop.Host.ShellAsync("mkdir /var/empty-root && tar --create --directory /var/empty-root . | podman import --quiet - localhost/empty:1").ShouldSucceedAsync();
        (await laptop.FairleadAsync("connect", "--docker", "--image", "localhost/empty:1")).ShouldFail(1).Error.ShouldContain("podman can't start the daemon's container");
        (await laptop.FairleadAsync("connect", "--docker", "--image", "localhost/nothing:1")).ShouldFail(1).Error.ShouldContain("podman does not have the image localhost/nothing:1");
        (await podman.ContainersAsync()).ShouldBe(["idle"]);

        // The own image is never pulled.
        (await podman.RunAsync("tag", Podman.Image, "localhost/mine:1")).ShouldSucceed();
        (await podman.RunAsync("untag", Podman.Image, Podman.Image)).ShouldSucceed();
        (await laptop.FairleadAsync("connect", "--docker")).ShouldFail(1).Error.ShouldSatisfyAllConditions(
            said => said.ShouldContain($"podman does not have the image {Podman.Image}"), said => said.ShouldContain("deploy/image/build"));
        (await SnapshotAsync(laptop)).ShouldBe(before);

        await JoinAsync(laptop, "--image", "localhost/mine:1");
        (await laptop.FairleadAsync("connect", "--docker", "--image", "localhost/empty:1")).ShouldFail(5).Error.ShouldSatisfyAllConditions(
            said => said.ShouldContain("it was started from localhost/mine:1, not from localhost/empty:1"), said => said.ShouldContain("fairlead disconnect --docker"));
        (await laptop.FairleadAsync("connect", "--docker", "--image", "localhost/mine:1")).ShouldSucceed();
        (await laptop.FairleadAsync("connect", "--docker")).ShouldSucceed();
        (await laptop.FairleadAsync("disconnect", "--docker")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    private async Task<(Laptop Laptop, Podman Podman)> NewPodmanLaptopAsync()
    {
        var laptop = await NewLaptopAsync(start: false);
        return (laptop, await Podman.InstallAsync(laptop));
    }

    private async Task JoinAsync(Laptop laptop, params string[] options) =>
        (await laptop.FairleadWithInputAsync(await Cluster.InviteAsync($"container{laptop.Number}", "shop"), ["join", "--docker", .. options, "-"])).ShouldSucceed();

    /// <summary>What stays as it is while containers run: all of the snapshot but what the engine gives each of them, a port on its bridge and rules with its address.</summary>
    private static async Task<string> HostAsync(Laptop laptop)
    {
        // One rule a line.
        var rules = (await laptop.Host.ShellAsync("nft --stateless --json list ruleset | jq --compact-output '.nftables[]'")).Text;
        var others = (await SnapshotAsync(laptop)).Split('\n').TakeWhile(line => !line.StartsWith("table ", StringComparison.Ordinal));
        return string.Join('\n', others.Concat(rules.Split('\n')).Where(line => !Engine.Any(line.Contains)));
    }
}
