using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Cables, pods and gateways come and go; names, listeners and as many flows as possible stay.</summary>
[Collection(Disturbing.Name)]
public sealed class ResilienceTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Open_flow_survives_a_broken_cable_and_new_ones_wait_for_it()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/*");
        // A session that is silent while the cable is out.
        using var session = laptop.Host.Start("socat", "STDIO", "TCP:echo.shop:7");
        await session.StandardInput.WriteLineAsync("before");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("before");

        await laptop.CutLinkAsync();
        await Shell.EventuallyAsync("the daemon notices", async () => (await laptop.FairleadAsync("status")).Output.Contains("disconnected", StringComparison.OrdinalIgnoreCase));
        (await laptop.Host.RunAsync("getent", "hosts", "frontend.shop")).ShouldSucceed();
        var waiting = laptop.CurlAsync("http://frontend.shop/");

        // Long enough for attempts to have become rare: that the cable is back ends the wait for the next one.
        await Task.Delay(TimeSpan.FromSeconds(5));
        await laptop.RestoreLinkAsync();

        (await waiting).ShouldSucceed();
        await session.StandardInput.WriteLineAsync("after");
        (await session.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20))).ShouldBe("after");
        session.StandardInput.Close();
        await session.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Gateway_may_be_killed()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        (await Cluster.KubectlAsync("delete", "pod", "-n", "fairlead", "-l", "app.kubernetes.io/name=fairlead-gateway", "--grace-period=0", "--force")).ShouldSucceed();
        await Shell.EventuallyAsync("a new gateway serves", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0, TimeSpan.FromSeconds(30));
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");
    }

    [Fact]
    public async Task Gateway_that_was_installed_anew_asks_everybody_to_join_again()
    {
        var laptop = await NewMemberAsync();
        var unused = await Cluster.InviteAsync("early", "shop");
        (await Cluster.KubectlAsync("delete", "secret", "fairlead-ca", "-n", "fairlead")).ShouldSucceed();
        (await Cluster.KubectlAsync("rollout", "restart", "-n", "fairlead", "deploy/fairlead-gateway")).ShouldSucceed();
        await Cluster.AwaitRolloutAsync("fairlead", "deploy/fairlead-gateway");

        await Shell.EventuallyAsync("the laptop says so", async () => (await laptop.FairleadAsync("status")).Text is var status
            && status.Contains("refused") && status.Contains("join again with a new token"), TimeSpan.FromSeconds(30));
        var refused = (await (await NewLaptopAsync()).FairleadAsync("join", unused)).ShouldFail(3);
        refused.Error.ShouldContain("if the gateway was installed anew");

        (await laptop.FairleadAsync("leave")).ShouldSucceed();
        await Cluster.JoinAsync(laptop, "shop");
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
    }

    [Fact]
    public async Task Services_come_change_and_go_while_consumed()
    {
        var laptop = await NewMemberAsync("live-*");
        await laptop.ConsumeAsync("*/*");
        await Cluster.CreateNamespaceAsync("live-1");
        await Cluster.ApplyAsync($$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: web, namespace: live-1 }
            spec:
              selector: { matchLabels: { app: web } }
              template:
                metadata: { labels: { app: web } }
                spec:
                  terminationGracePeriodSeconds: 1
                  containers:
                  - { name: web, {{Cluster.ShopContainer("frontend")}} }
            ---
            apiVersion: v1
            kind: Service
            metadata: { name: web, namespace: live-1 }
            spec: { selector: { app: web }, ports: [ { port: 80, targetPort: 8080 } ] }
            """);
        try
        {
            await Shell.EventuallyAsync("the new service answers", async () => (await laptop.CurlAsync("http://web.live-1/")).ExitCode == 0);
            (await Cluster.KubectlAsync("delete", "pod", "-n", "live-1", "-l", "app=web")).ShouldSucceed();
            await Shell.EventuallyAsync("its next pod answers", async () => (await laptop.CurlAsync("http://web.live-1/")).ExitCode == 0);
            (await Cluster.KubectlAsync("patch", "service", "web", "-n", "live-1", "--type=json", "-p", """[{"op":"replace","path":"/spec/ports/0/port","value":81}]""")).ShouldSucceed();
            await Shell.EventuallyAsync("its new port answers", async () => (await laptop.CurlAsync("http://web.live-1:81/")).ExitCode == 0);
            (await laptop.CurlAsync("http://web.live-1/")).ShouldFail(7);
            (await Cluster.KubectlAsync("scale", "deploy/web", "-n", "live-1", "--replicas=0")).ShouldSucceed();
            await Shell.EventuallyAsync("no endpoint is refused", async () => (await laptop.CurlAsync("http://web.live-1:81/")).ExitCode is 7 or 56);
        }
        finally
        {
            await Cluster.RemoveNamespaceAsync("live-1");
        }

        await Shell.EventuallyAsync("its name is gone", async () => (await laptop.Host.RunAsync("getent", "hosts", "web.live-1")).ExitCode != 0);
    }
}
