using System.Net.Sockets;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Identity;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Carriers;

/// <summary>Which way the daemon takes, and what becomes of flows when replicas, companions and ways go.</summary>
[Collection(Disturbing.Name)]
public sealed class CarrierTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Gateways = "app.kubernetes.io/name=fairlead-gateway";

    [Fact]
    public async Task Laptop_that_reaches_only_the_api_server_is_carried_by_it_until_a_better_way_opens()
    {
        var laptop = await NewLaptopAsync();
        var erin = await ClusterUser.CreateAsync(Cluster, laptop, "erin");
        try
        {
            await erin.LetConsumeAsync("shop");
            await erin.LetForwardAsync();
            await laptop.ShutGatewayPortsAsync();
            (await erin.JoinAsync()).ShouldSucceed();
            await erin.CarrierBecomesAsync("port-forward");
            (await erin.FairleadAsync("consume", "shop/*")).ShouldSucceed();
            for (var i = 0; i < 20; i++)
            {
                (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
            }

            // Once it has tried them all: two of each node.
            await Shell.EventuallyAsync("it says why", async () => (await erin.FairleadAsync("space", "show")).Text is var text
                && text.Contains("30444 does not answer", StringComparison.Ordinal) && text.Contains("port-forward through https://", StringComparison.Ordinal), TimeSpan.FromSeconds(60));

            // Its companion is killed: any command that asks the daemon starts it again.
            (await laptop.Host.ShellAsync("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q '[f]airlead companion' && kill -9 ${p#/proc/}; done; true")).ShouldSucceed();
            await Shell.EventuallyAsync("it is back", async () =>
                (await erin.FairleadAsync("status")).ExitCode == 0 && (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0, TimeSpan.FromSeconds(60));
            await erin.CarrierBecomesAsync("port-forward");

            await laptop.OpenGatewayPortsAsync();
            await erin.CarrierBecomesAsync("direct", TimeSpan.FromSeconds(75));
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        }
        finally
        {
            await erin.RemoveAsync();
        }
    }

    /// <summary>As when it slept while the gateway was upgraded: whoever may not list pods learns the new ones by a new request for a certificate.</summary>
    [Fact]
    public async Task Laptop_that_missed_the_replacement_of_every_pod_it_knows_finds_the_new_ones()
    {
        var laptop = await NewLaptopAsync();
        var gina = await ClusterUser.CreateAsync(Cluster, laptop, "gina");
        try
        {
            await gina.JoinByPortForwardAsync("shop");
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();

            await laptop.CutLinkAsync();
            (await Cluster.KubectlAsync("delete", "pod", "-n", "fairlead", "-l", Gateways, "--grace-period=0", "--force")).ShouldSucceed();
            await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
            await laptop.RestoreLinkAsync();
            await Shell.EventuallyAsync("flows are carried again", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0, TimeSpan.FromSeconds(120));
            (await laptop.FairleadAsync("logs")).Output.ShouldContain("was asked for anew by kubeconfig");
        }
        finally
        {
            await gina.RemoveAsync();
        }
    }

    [Fact]
    public async Task New_flows_go_on_while_gateways_are_upgraded_and_when_one_is_killed()
    {
        (await Cluster.KubectlAsync("scale", "-n", "fairlead", "deploy/fairlead-gateway", "--replicas=2")).ShouldSucceed();
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        await Shell.EventuallyAsync("two replicas are held", async () => (await laptop.SpaceAsync()).GetProperty("replicas").GetArrayLength() == 2, TimeSpan.FromSeconds(60));

        var upgraded = laptop.FailuresOfRequestsAsync("http://frontend.shop/");
        (await Cluster.KubectlAsync("rollout", "restart", "-n", "fairlead", "deploy/fairlead-gateway")).ShouldSucceed();
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
        (await upgraded).ShouldBeEmpty();

        await Shell.EventuallyAsync("two replicas are held again", async () => (await laptop.SpaceAsync()).GetProperty("replicas").GetArrayLength() == 2, TimeSpan.FromSeconds(60));
        var pod = (await Cluster.KubectlAsync("get", "pods", "-n", "fairlead", "-l", Gateways, "-o", "jsonpath={.items[0].metadata.name}")).Text;
        var killed = laptop.FailuresOfRequestsAsync("http://frontend.shop/");
        (await Cluster.KubectlAsync("delete", "pod", "-n", "fairlead", pod, "--grace-period=0", "--force")).ShouldSucceed();
        var gone = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

        // Until its silence is noticed, those whose first bytes were sent to it are reset: they are not sent twice.
        (await killed).ShouldAllBe(began => began < gone + 3000);
    }

    [Fact]
    public async Task Two_laptops_over_two_replicas_both_go_on_when_one_is_lost()
    {
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
        Laptop[] laptops = [await NewMemberAsync(), await NewMemberAsync()];
        var flows = new List<Socket>();
        try
        {
            foreach (var laptop in laptops)
            {
                await laptop.ConsumeAsync("shop/*");
                await HoldsTwoReplicasAsync(laptop, without: null);
                for (var i = 0; i < 8; i++)
                {
                    flows.Add(laptop.Host.OpenSocket(SocketType.Stream));
                    await flows[^1].ConnectAsync(await laptop.ResolveAsync("echo.shop"), 7, Limit.Token);
                    await EchoAsync(flows[^1]);
                }
            }

            var pod = (await laptops[0].SpaceAsync()).GetProperty("replicas")[0].GetString()!;
            var failures = laptops.Select(laptop => laptop.FailuresOfRequestsAsync("http://frontend.shop/")).ToArray();
            (await Cluster.KubectlAsync("delete", "pod", "-n", "fairlead", pod, "--grace-period=0", "--force")).ShouldSucceed();
            var gone = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

            // A flow of the lost replica is reset, one of the other doesn't notice; none hangs until its limit.
            foreach (var flow in flows)
            {
                try
                {
                    await EchoAsync(flow);
                }
                catch (SocketException e)
                {
                    e.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
                }
            }

            foreach (var laptop in await Task.WhenAll(failures))
            {
                laptop.ShouldAllBe(began => began < gone + 3000);
            }

            foreach (var laptop in laptops)
            {
                await HoldsTwoReplicasAsync(laptop, without: pod);
            }
        }
        finally
        {
            flows.ForEach(flow => flow.Dispose());
        }
    }

    private static Task HoldsTwoReplicasAsync(Laptop laptop, string? without) => Shell.EventuallyAsync(
        $"{laptop.Host.Name} holds two replicas",
        async () => (await laptop.SpaceAsync()).GetProperty("replicas").EnumerateArray().Select(r => r.GetString()).Where(r => r != without).Distinct().Count() == 2,
        TimeSpan.FromSeconds(60));

    private static async Task EchoAsync(Socket socket)
    {
        await socket.SendAsync("x"u8.ToArray(), Limit.Token);
        (await socket.ReceiveAsync(new byte[1], Limit.Token)).ShouldBe(1);
    }
}
