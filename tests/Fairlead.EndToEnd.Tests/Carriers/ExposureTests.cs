using Fairlead.Contracts.Gateway;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Carriers;

/// <summary>How a cluster may expose the gateway for the direct carrier: node ports, a load balancer, a TLS passthrough.</summary>
[Collection(Disturbing.Name)]
public sealed class ExposureTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Name = "fairlead.passthrough.test";

    /// <summary>Of nobody's controller: what gives the cluster's load balancers their addresses leaves this one to the test.</summary>
    private const string Class = "fairlead.test/by-hand";

    private string[] NodePorts => [.. Cluster.NodeAddresses.Select(node => $"direct to {node}:30444")];

    [Fact]
    public async Task Load_balancer_is_taken_directly_once_it_has_an_address_and_the_node_port_again_without_it()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        await WayBecomesAsync(laptop, NodePorts);

        var address = laptop.Gateway;
        await using var balancer = await StreamProxy.StartAsync(Cluster.Host, "balancer", $"{address}:8443", $$"""
            server { listen {{address}}:8443; proxy_pass {{Cluster.NodeAddress}}:30443; }
            server { listen {{address}}:8444; proxy_pass {{Cluster.NodeAddress}}:30444; }
            """);
        try
        {
            await UpgradeAsync($"service.type=LoadBalancer,service.loadBalancerClass={Class}");
            await BalanceAsync($$"""[{"ip":"{{address}}"}]""");
            await EndpointsBecomeAsync($"{address}:8443:8444");
            await ToldAsync(laptop, address);
            var newcomer = await NewLaptopAsync();
            foreach (var one in new[] { laptop, newcomer })
            {
                await one.ShutGatewayPortsAsync();
            }

            await Cluster.JoinAsync(newcomer, "shop");
            await newcomer.ConsumeAsync("shop/frontend");
            foreach (var one in new[] { laptop, newcomer })
            {
                await WayBecomesAsync(one, $"direct to {address}:8444");
                (await one.SpaceAsync()).GetProperty("carrier").GetString().ShouldBe("direct");
                (await one.CurlAsync("http://frontend.shop/")).ShouldSucceed();
            }
        }
        finally
        {
            await BalanceAsync("null");
            await UpgradeAsync("service=null");
        }

        await EndpointsBecomeAsync($"{Cluster.NodeAddress}:30443:30444");
        await laptop.OpenGatewayPortsAsync();
        await ToldAsync(laptop, Cluster.NodeAddress);
        await balancer.DisposeAsync();
        await WayBecomesAsync(laptop, NodePorts);
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
    }

    /// <summary>As docs/carriers.md has it: one port for both, told apart by what the TLS handshake says in clear.</summary>
    [Fact]
    public async Task Passthrough_on_one_port_is_the_direct_carrier_for_flows_datagrams_and_joining()
    {
        var laptop = await NewLaptopAsync();
        var address = laptop.Gateway;
        var uid = (await Cluster.KubectlAsync("get", "configmap", "fairlead-space", "-n", "fairlead", "-o", "jsonpath={.data.uid}")).Text;
        var server = GatewayApi.ServerName(uid);
        await using var passthrough = await StreamProxy.StartAsync(Cluster.Host, "passthrough", $"{address}:443", $$"""
            map "$ssl_preread_server_name $ssl_preread_alpn_protocols" $backend {
              "~^{{server}} fairlead-" {{Cluster.NodeAddress}}:30444;
              "~^{{server}} " {{Cluster.NodeAddress}}:30443;
              default 127.0.0.1:1;
            }
            server { listen {{address}}:443; ssl_preread on; proxy_pass $backend; }
            """);
        try
        {
            await UpgradeAsync($"endpoints={{{Name}:443:443}}");
            await EndpointsBecomeAsync($"{Name}:443:443");
            await laptop.Host.WriteAsync("/etc/hosts", $"127.0.0.1 localhost\n{address} {Name}\n");
            await laptop.ShutGatewayPortsAsync();
            await Cluster.JoinAsync(laptop, "shop");
            await laptop.ConsumeAsync("shop/*");
            await WayBecomesAsync(laptop, $"direct to {Name}:443");
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
            (await laptop.QuoteAsync()).ShouldNotBeEmpty();

            // What doesn't ask for this space's gateway isn't led to it.
            (await laptop.Host.RunAsync("curl", "-sk", "--max-time", "10", $"https://{Name}/")).ExitCode.ShouldNotBe(0);
        }
        finally
        {
            await UpgradeAsync("endpoints=null");
        }
    }

    /// <summary>A way that ends before the next one was told of leaves a laptop without either.</summary>
    private static Task ToldAsync(Laptop laptop, string address) => Shell.EventuallyAsync(
        $"the laptop was told of {address}", async () => (await laptop.Host.ShellAsync($"grep -rqiE --include=space.json '\"host\": *\"{address}\"' /var/lib/fairlead")).ExitCode == 0, TimeSpan.FromSeconds(60));

    private static Task WayBecomesAsync(Laptop laptop, params string[] ways) =>
        Shell.EventuallyAsync($"the way is {string.Join(" or ", ways)}", async () => await WaysAsync(laptop) is var way && ways.Any(w => way.EndsWith(w, StringComparison.Ordinal)), TimeSpan.FromSeconds(60));

    private static async Task<string> WaysAsync(Laptop laptop) =>
        (await laptop.FairleadAsync("space", "show")).Text.Split('\n').FirstOrDefault(line => line.StartsWith("Ways ", StringComparison.Ordinal)) ?? "";

    private async Task UpgradeAsync(string set) =>
        (await Cluster.FairleadAsync(["gateway", "upgrade", "--kubeconfig", Cluster.Kubeconfig, "--set", set], TimeSpan.FromSeconds(120))).ShouldSucceed();

    /// <summary>The part of a cloud's controller.</summary>
    private async Task BalanceAsync(string ingress) => (await Cluster.KubectlAsync(
        "patch", "service", "fairlead-gateway", "-n", "fairlead", "--subresource=status", "--type=merge", "-p", "{\"status\":{\"loadBalancer\":{\"ingress\":" + ingress + "}}}")).ShouldSucceed();

    private Task EndpointsBecomeAsync(string first) => Shell.EventuallyAsync($"the first endpoint is {first}", async () =>
    {
        var gateway = System.Text.Json.JsonDocument.Parse((await Cluster.FairleadAsync(["gateway", "status", "--kubeconfig", Cluster.Kubeconfig, "-o", "json"])).Output).RootElement;
        return gateway.GetProperty("endpoints").EnumerateArray().First().GetString() == first;
    }, TimeSpan.FromSeconds(60));
}
