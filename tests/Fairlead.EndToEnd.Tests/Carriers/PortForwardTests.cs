using System.Net.Sockets;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Identity;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Carriers;

/// <summary>A laptop that reaches nothing but the API server, and what becomes of its flows and names when that goes, or the gateway's pod behind it.</summary>
[Collection(Disturbing.Name)]
public sealed class PortForwardTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Frontend = "http://frontend.shop/";

    [Fact]
    public async Task Api_server_that_drops_connections_for_10_s_resets_flows_and_is_used_again()
    {
        var (laptop, user) = await NewUserAsync("frank");
        try
        {
            using var open = laptop.Host.OpenSocket(SocketType.Stream);
            await open.ConnectAsync(await laptop.ResolveAsync("echo.shop"), 7, Limit.Token);
            await EchoAsync(open);
            var address = await laptop.ResolveAsync("frontend.shop");

            await Cluster.CutApiServerAsync();
            try
            {
                var ended = await Should.ThrowAsync<SocketException>(async () => await open.ReceiveAsync(new byte[1], Limit.Token));
                ended.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
                await Shell.EventuallyAsync("the daemon says so", async () => (await user.FairleadAsync("status")).Output.Contains("disconnected", StringComparison.OrdinalIgnoreCase));
                await Task.Delay(TimeSpan.FromSeconds(10));
                (await laptop.ResolveAsync("frontend.shop")).ShouldBe(address);
            }
            finally
            {
                await Cluster.RestoreApiServerAsync();
            }

            await Shell.EventuallyAsync("new flows work", async () => (await laptop.CurlAsync(Frontend)).ExitCode == 0, TimeSpan.FromSeconds(60));
            (await laptop.ResolveAsync("frontend.shop")).ShouldBe(address);
            await user.CarrierBecomesAsync("port-forward");
        }
        finally
        {
            await user.RemoveAsync();
        }
    }

    /// <summary>
    /// What a laptop sees of it, and the gateway: its process ends, and with it every connection; nothing listens for a while; another one does. The embedded
    /// cluster's API server is one process with its pods, so a proxy in front of it is killed in its stead, and the gateway's connections are cut.
    /// </summary>
    [Fact]
    public async Task Api_server_that_restarts_leaves_no_flow_hanging_and_carries_new_ones_within_seconds()
    {
        const string Redirection = "apifront";
        (await Cluster.Host.RunAsync("nft", $"add table ip {Redirection}; add chain ip {Redirection} in {{ type nat hook prerouting priority dstnat; }}; "
            + $"add rule ip {Redirection} in iifname \"to*\" ip daddr {Cluster.ApiServer.Address} tcp dport {Cluster.ApiServer.Port} redirect to :16443")).ShouldSucceed();
        try
        {
            var running = await ApiFrontAsync();
            try
            {
                var (laptop, user) = await NewUserAsync("ivan");
                var flows = new List<Socket>();
                try
                {
                    var address = await laptop.ResolveAsync("echo.shop");
                    for (var i = 0; i < 8; i++)
                    {
                        flows.Add(laptop.Host.OpenSocket(SocketType.Stream));
                        await flows[^1].ConnectAsync(address, 7, Limit.Token);
                        await EchoAsync(flows[^1]);
                    }

                    await running.DisposeAsync();
                    await Cluster.CutApiServerAsync();
                    try
                    {
                        await Task.Delay(TimeSpan.FromSeconds(3));
                    }
                    finally
                    {
                        await Cluster.RestoreApiServerAsync();
                        running = await ApiFrontAsync();
                    }

                    // The limit is from the moment that it is back: redials pause for up to ten seconds.
                    await Shell.EventuallyAsync("new flows work", async () => (await laptop.CurlAsync(Frontend)).ExitCode == 0, TimeSpan.FromSeconds(30));
                    foreach (var flow in flows)
                    {
                        await EchoOrResetAsync(flow);
                    }

                    await user.CarrierBecomesAsync("port-forward");
                }
                finally
                {
                    flows.ForEach(flow => flow.Dispose());
                    await user.RemoveAsync();
                }
            }
            finally
            {
                await running.DisposeAsync();
            }
        }
        finally
        {
            (await Cluster.Host.RunAsync("nft", "delete", "table", "ip", Redirection)).ShouldSucceed();
        }
    }

    [Fact]
    public async Task Gateway_pod_that_is_killed_costs_new_flows_three_seconds_at_most()
    {
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
        var (laptop, user) = await NewUserAsync("grace");
        try
        {
            await Shell.EventuallyAsync("two replicas are held", async () => (await laptop.SpaceAsync()).GetProperty("replicas").GetArrayLength() == 2, TimeSpan.FromSeconds(60));
            var pod = (await laptop.SpaceAsync()).GetProperty("replicas")[0].GetString()!;
            var failures = laptop.FailuresOfRequestsAsync(Frontend);
            (await Cluster.KubectlAsync("delete", "pod", "-n", "fairlead", pod, "--grace-period=0", "--force")).ShouldSucceed();
            var gone = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

            (await failures).ShouldAllBe(began => began < gone + 3000);
            await user.CarrierBecomesAsync("port-forward");
            await Shell.EventuallyAsync(
                "another replica takes its place", async () => (await laptop.SpaceAsync()).GetProperty("replicas").EnumerateArray().Select(r => r.GetString()).Where(r => r != pod).Distinct().Count() == 2, TimeSpan.FromSeconds(60));
        }
        finally
        {
            await user.RemoveAsync();
        }
    }

    /// <summary>A forward of its own for each connection would wait a second at the end of each.</summary>
    [Fact]
    public async Task Connections_that_the_server_closes_first_end_at_once()
    {
        var (laptop, user) = await NewUserAsync("heidi");
        try
        {
            var address = await laptop.ResolveAsync("frontend.shop");
            for (var i = 0; i < 60; i++)
            {
                using var socket = laptop.Host.OpenSocket(SocketType.Stream);
                await socket.ConnectAsync(address, 80, TestContext.Current.CancellationToken);
                await socket.SendAsync("GET / HTTP/1.1\r\nHost: frontend.shop\r\nConnection: close\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
                await ReadToEndAsync(socket);
            }
        }
        finally
        {
            await user.RemoveAsync();
        }
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        var buffer = new byte[4096];
        while (await socket.ReceiveAsync(buffer, Limit.Token) > 0)
        {
            // Only its end matters.
        }
    }

    private static async Task EchoAsync(Socket socket)
    {
        await socket.SendAsync("x"u8.ToArray(), Limit.Token);
        (await socket.ReceiveAsync(new byte[1], Limit.Token)).ShouldBe(1);
    }

    /// <summary>Either: a flow that hangs meets the limit.</summary>
    private static async Task EchoOrResetAsync(Socket socket)
    {
        try
        {
            await EchoAsync(socket);
        }
        catch (SocketException e)
        {
            e.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        }
    }

    /// <summary>In front of the API server, for laptops alone.</summary>
    private Task<StreamProxy> ApiFrontAsync() => StreamProxy.StartAsync(
        Cluster.Host, "apifront", "127.0.0.1:16443", $"server {{ listen 16443; proxy_pass {Cluster.ApiServer.Address}:{Cluster.ApiServer.Port}; }}");

    /// <summary>Consumes the shop by port-forward.</summary>
    private async Task<(Laptop Laptop, ClusterUser User)> NewUserAsync(string name)
    {
        var laptop = await NewLaptopAsync();
        var user = await ClusterUser.CreateAsync(Cluster, laptop, name);
        try
        {
            await user.JoinByPortForwardAsync("shop");
            return (laptop, user);
        }
        catch
        {
            await user.RemoveAsync();
            throw;
        }
    }
}
