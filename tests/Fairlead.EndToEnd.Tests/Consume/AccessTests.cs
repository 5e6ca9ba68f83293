using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Who may reach what: nothing without a grant, and nothing through a service that the grant did not mean.</summary>
public sealed class AccessTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Service_that_points_elsewhere_is_refused()
    {
        var redis = (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", "app.kubernetes.io/name=redis", "-o", "jsonpath={.items[0].status.podIP}")).Text;
        (string Name, string Address, int Port)[] targets =
            [("metadata", "169.254.169.254", 80), ("api", "198.18.0.1", 6443), ("node", "198.18.0.2", 30443), ("other-namespace", redis, 6379), ("loopback", "127.0.0.1", 80)];
        await Cluster.ApplyAsync("apiVersion: v1\nkind: Namespace\nmetadata: { name: tricky }\n" + string.Concat(targets.Select(t => $$"""
            ---
            apiVersion: v1
            kind: Service
            metadata: { name: {{t.Name}}, namespace: tricky }
            spec: { ports: [ { port: 80, targetPort: {{t.Port}} } ] }
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: { name: {{t.Name}}-1, namespace: tricky, labels: { kubernetes.io/service-name: {{t.Name}} } }
            addressType: IPv4
            ports: [ { port: {{t.Port}}, protocol: TCP } ]
            endpoints: [ { addresses: [ {{t.Address}} ], conditions: { ready: true } } ]

            """)));
        try
        {
            var laptop = await NewMemberAsync("tricky");
            await laptop.ConsumeAsync("tricky/*");
            foreach (var target in targets)
            {
                (await laptop.CurlAsync($"http://{target.Name}.tricky/")).ExitCode.ShouldBeOneOf(7, 56, 52);
            }

            var logs = (await laptop.FairleadAsync("logs")).Output;
            logs.ShouldContain("metadata.tricky");
        }
        finally
        {
            (await Cluster.KubectlAsync("delete", "namespace", "tricky")).ShouldSucceed();
        }
    }

    [Fact]
    public async Task Revocation_ends_live_flows_within_a_second()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/redis");
        using var subscriber = laptop.Host.Start("redis-cli", "-h", "redis.shop", "subscribe", "nothing");
        (await subscriber.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldNotBeNull();
        using var held = laptop.Host.Start("bash", "-c", "exec 3<>/dev/tcp/redis.shop/6379; echo open; cat <&3; echo closed");
        (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe("open");
        await Task.Delay(300);

        (await Cluster.FairleadAsync(["space", "revoke", laptop.User, "--kubeconfig", Cluster.Kubeconfig])).ShouldSucceed();
        var clock = Stopwatch.StartNew();
        (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(5))).ShouldBe("closed");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2));
        subscriber.Kill();

        (await laptop.Host.RunAsync("redis-cli", "-h", "redis.shop", "ping")).Output.ShouldNotContain("PONG");
        await Shell.EventuallyAsync("status tells why", async () => (await laptop.FairleadAsync("status")).Output.Contains("revoked", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Token_works_once()
    {
        var token = await Cluster.InviteAsync("once", "shop");
        var first = await NewLaptopAsync();
        (await first.FairleadWithInputAsync(token + "\n", "join", "-")).ShouldSucceed();
        var second = await NewLaptopAsync();
        var refused = await second.FairleadAsync("join", token);
        refused.ShouldFail(4);
        refused.Error.ShouldContain("used", Case.Insensitive);
    }

    [Fact]
    public async Task Broken_tokens_are_told_apart()
    {
        var laptop = await NewLaptopAsync();
        var token = await Cluster.InviteAsync("broken", "shop");
        var truncated = await laptop.FairleadAsync("join", token[..^20]);
        truncated.ShouldFail(2);
        truncated.Error.ShouldContain("incomplete");
        (await laptop.FairleadAsync("join", "nonsense")).ShouldFail(2).Error.ShouldContain("join token");
        (await laptop.FairleadWithInputAsync("", "join", "-")).ShouldFail(2).Error.ShouldContain("empty");

        var expired = await Cluster.InviteAsync("late", "shop", "--expires", "1s");
        await Task.Delay(1500);
        (await laptop.FairleadAsync("join", expired)).ShouldFail(4).Error.ShouldContain("expired");
    }

    [Fact]
    public async Task Garbage_on_every_listener_disturbs_nobody()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        foreach (var target in new[] { "/dev/tcp/198.18.0.2/30443", "/dev/tcp/198.18.0.2/30444", "/dev/tcp/198.18.0.1/6443" })
        {
            await laptop.Host.ShellAsync($"for i in 1 2 3 4 5; do timeout 2 bash -c 'head -c 100000 /dev/urandom > {target}'; timeout 2 bash -c 'printf \"GET / HTTP/1.1\\r\\n\\r\\n\" > {target}'; done");
        }

        await laptop.Host.ShellAsync("head -c 100000 /dev/urandom | timeout 2 socat - UNIX-CONNECT:/run/fairlead/daemon.sock");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.FairleadAsync("status")).ShouldSucceed();
    }
}
