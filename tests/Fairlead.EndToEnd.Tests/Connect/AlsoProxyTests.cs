using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Networks that are neither the services' nor the pods', but that pods reach; of both families.</summary>
public sealed class AlsoProxyTests(SharedCluster cluster) : ConnectTest(cluster)
{
    [Theory]
    [InlineData("203.0.113.", "24")]
    [InlineData("fd42:6c61:6200::", "64")]
    public async Task Network_that_pods_reach_answers_by_its_addresses_whoever_was_granted_it(string start, string length)
    {
        Need(ClusterFeature.PodLinks);
        var network = $"{(IsIPv6(start) ? start : start + "0")}/{length}";
        var host = start + "77";
        var served = await ProcessWithAsync(await PodAddressAsync("frontend"));
        await LinkAsync(served, $"{host}/{length}");
        var gateways = (await Cluster.KubectlAsync("get", "pods", "-n", "fairlead", "-l", "app.kubernetes.io/name=fairlead-gateway", "-o", "jsonpath={.items[*].status.podIP}")).Text.Split(' ');
        for (var i = 0; i < gateways.Length; i++)
        {
            await LinkAsync(await ProcessWithAsync(gateways[i]), $"{start}{i + 1}/{length}");
        }

        using var greeter = Cluster.Host.Start("nsenter", $"--net=/proc/{served}/ns/net", "--", "socat", "-U", "TCP6-LISTEN:81,ipv6only=0,fork,reuseaddr", "SYSTEM:echo greeting");
        using var echo = Cluster.Host.Start("nsenter", $"--net=/proc/{served}/ns/net", "--", "socat", "UDP6-LISTEN:82,ipv6only=0,fork,reuseaddr", "PIPE");
        try
        {
            var laptop = await NewTravellerAsync();
            var before = await SnapshotAsync(laptop);
            (await laptop.FairleadAsync("connect", "--also-proxy", network)).ShouldSucceed();
            (await EntriesAsync(laptop)).ShouldContain((network, Routed, null));
            (await AskAsync(laptop, host, 81)).ShouldBe("", "nobody was granted it");
            await Cluster.ApplyAsync($$"""
                apiVersion: fairlead.dev/v1alpha1
                kind: Grant
                metadata: { name: also-{{laptop.User}}, namespace: fairlead }
                spec: { subjects: ["invite:{{laptop.User}}"], rules: [ { cidrs: ["{{network}}"] } ] }
                """);
            await Shell.EventuallyAsync("it answers", async () => await AskAsync(laptop, host, 81) == "greeting");
            (await laptop.Host.ShellAsync($"cat < /dev/tcp/{host}/80")).Error.ShouldContain("Connection refused");
            (await laptop.Host.ShellAsync($"exec 3<> /dev/udp/{host}/82; printf datagram >&3; timeout 10 head -c 8 <&3")).Text.ShouldBe("datagram");
            (await laptop.Host.RunAsync("ping", "-n", "-c", "1", "-W", "10", host)).ShouldSucceed();

            (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
            (await SnapshotAsync(laptop)).ShouldBe(before);
            (await Cluster.KubectlAsync("delete", "grant", $"also-{laptop.User}", "-n", "fairlead")).ShouldSucceed();
        }
        finally
        {
            greeter.Kill(entireProcessTree: true);
            echo.Kill(entireProcessTree: true);
        }
    }

    /// <summary>What it says to whoever connects; nothing when it can't be reached.</summary>
    private static async Task<string> AskAsync(Laptop laptop, string host, int port) => (await laptop.Host.ShellAsync($"timeout 10 cat < /dev/tcp/{host}/{port}")).Output.TrimEnd('\n');

    /// <summary>Gives a pod one more address.</summary>
    private Task LinkAsync(int process, string address) => Cluster.Host.RunAsync(
        "nsenter", $"--net=/proc/{process}/ns/net", "--",
        "sh", "-c", $"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 && ip addr replace {address} dev eth0 {(IsIPv6(address) ? "nodad" : "")}").ShouldSucceedAsync();

    private static bool IsIPv6(string address) => address.Contains(':', StringComparison.Ordinal);

    /// <summary>Of a pod by its address.</summary>
    private async Task<int> ProcessWithAsync(string address) => int.Parse((await Cluster.Host.ShellAsync(
        $"for p in /proc/[0-9]*; do nsenter --net=$p/ns/net ip -o addr show to {address} 2> /dev/null | grep -q . && exec basename $p; done; exit 1")).Text);
}
