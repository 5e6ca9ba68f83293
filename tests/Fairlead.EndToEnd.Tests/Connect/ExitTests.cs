using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;
using Fairlead.Tunnel;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Flows that leave from a pod of a workload (<c>--proxy-via</c>): what only that pod reaches is reached.</summary>
public sealed class ExitTests(SharedCluster shared) : ClusterTest(shared)
{
    [Fact]
    public async Task Exit_reaches_the_loopback_of_a_pod_and_moves_to_another_when_that_goes()
    {
        await Cluster.ApplyAsync(Deployment("inner"));
        await Cluster.AwaitRolloutAsync("shop", "deploy/inner");
        await Cluster.ApplyAsync(Grant("probe-exit", "inner"));
        await using var probe = await GatewayProbe.JoinAsync(Cluster, "probe-exit", "shop");
        var via = "";
        await Shell.EventuallyAsync("the grant counts", async () =>
        {
            try
            {
                via = (await probe.CheckExitAsync("shop", "inner")).Via;
                return true;
            }
            catch (FairleadException e) when (e.Error.Code == "exit-denied")
            {
                return false;
            }
        });
        via.ShouldBe("shop/deployment/inner");
        var first = await PodAsync("inner");
        (await probe.TalkAsync("127.0.0.1", Lab.Port, "name\n", via)).ShouldBe((first, FlowFailure.None));
        (await probe.SendAsync(TransportProtocol.Udp, "127.0.0.1", Lab.DatagramPort, [1, 2], via)).Answer.ShouldBe([1, 2]);

        // Refused there is refused here; what the subject may not reach otherwise it may not reach this way.
        (await probe.TalkAsync("127.0.0.1", 9102, "", via)).Failure.ShouldBe(FlowFailure.ConnectionRefused);
        (await probe.SendAsync(TransportProtocol.Udp, "127.0.0.1", 9102, [1], via)).Failure.ShouldBe(FlowFailure.ConnectionRefused);
        (await probe.TalkAsync("169.254.169.254", 80, "", via)).Failure.ShouldBe(FlowFailure.Denied);

        // One agent for all of that, with no right that a container under "restricted" can't have.
        var containers = (await Cluster.KubectlAsync("get", "pod", "-n", "shop", first, "-o", "jsonpath={.spec.ephemeralContainers[*].name}")).Text.Split(' ');
        containers.Length.ShouldBeInRange(1, 2); // of each replica of the gateway that a flow came to
        (await Cluster.KubectlAsync("get", "pod", "-n", "shop", first, "-o", "jsonpath={.spec.ephemeralContainers[0].securityContext.capabilities}")).Text.ShouldBe("""{"drop":["ALL"]}""");

        (await Cluster.KubectlAsync("delete", "pod", "-n", "shop", first)).ShouldSucceed();
        await Cluster.AwaitRolloutAsync("shop", "deploy/inner");
        await Shell.EventuallyAsync("another pod is the exit", async () => (await probe.TalkAsync("127.0.0.1", Lab.Port, "name\n", via)).Answer is { } name && name != first);
        (await Cluster.KubectlAsync("delete", "deployment/inner", "-n", "shop", "--wait=false")).ShouldSucceed();
    }

    [Fact]
    public async Task Connected_laptop_reaches_the_loopback_of_a_pod_by_an_address_that_stands_for_it()
    {
        await Cluster.ApplyAsync(Deployment("cellar"));
        await Cluster.AwaitRolloutAsync("shop", "deploy/cellar");
        var laptop = await NewMemberAsync();
        await Cluster.ApplyAsync(Grant(laptop.User, "cellar"));
        await Shell.EventuallyAsync("the grant counts", async () =>
            (await laptop.FairleadAsync("connect", "--proxy-via", "127.0.0.1/32=shop/deployment/cellar", "--proxy-via", "::1/128=shop/deployment/cellar")).ExitCode == 0);
        var pod = await PodAsync("cellar");
        foreach (var loopback in new[] { "127.0.0.1/32", "::1/128" })
        {
            var entry = System.Text.Json.JsonDocument.Parse((await laptop.FairleadAsync("plan", "-o", "json")).Text).RootElement.GetProperty("entries").EnumerateArray()
                .Single(e => e.GetProperty("prefix").GetString() == loopback);
            var address = entry.GetProperty("as").GetString()!.Split('/')[0];
            (await laptop.Host.ShellAsync($"exec 3<>/dev/tcp/{address}/{Lab.Port}; echo name >&3; timeout 10 cat <&3")).Text.ShouldBe(pod);
            (await laptop.Host.ShellAsync($"exec 3<>/dev/udp/{address}/{Lab.DatagramPort}; echo please >&3; timeout 10 dd bs=600 count=1 status=none <&3")).Text.ShouldBe("please");
            (await laptop.Host.ShellAsync($"exec 3<>/dev/tcp/{address}/9102")).Error.ShouldContain("refused", Case.Insensitive);
        }

        (await Cluster.KubectlAsync("delete", "deployment/cellar", "-n", "shop", "--wait=false")).ShouldSucceed();
    }

    [Fact]
    public async Task Exit_that_can_t_be_is_refused_with_the_reason_before_anything_is_placed()
    {
        await Cluster.ApplyAsync(Grant("probe-none", "*"));
        await using var probe = await GatewayProbe.JoinAsync(Cluster, "probe-none", "shop");
        await Shell.EventuallyAsync("the grant counts", async () => await CodeAsync(probe, "shop", "nothing") == "workload-unknown");
        (await CodeAsync(probe, "shop", "statefulset/frontend")).ShouldBe("workload-unknown");
        (await CodeAsync(probe, "shop", "daemonset/frontend")).ShouldBe("workload-invalid");
        (await CodeAsync(probe, "shop", "../frontend")).ShouldBe("workload-invalid");
        (await CodeAsync(probe, "kube-system", "coredns")).ShouldBe("exit-denied");
        (await probe.TalkAsync("127.0.0.1", 80, "", "kube-system/deployment/coredns")).Failure.ShouldBe(FlowFailure.Denied);
        (await probe.TalkAsync("127.0.0.1", 80, "", "shop/deployment/nothing")).Failure.ShouldBe(FlowFailure.Unreachable);
        (await CodeAsync(probe, "shop", "frontend")).ShouldBeNull();
        (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", "app.kubernetes.io/name=frontend", "-o", "jsonpath={.items[*].spec.ephemeralContainers}")).Text.ShouldBeEmpty();
    }

    private static async Task<string?> CodeAsync(GatewayProbe probe, string ns, string workload)
    {
        try
        {
            await probe.CheckExitAsync(ns, workload);
            return null;
        }
        catch (FairleadException e)
        {
            return e.Error.Code;
        }
    }

    private async Task<string> PodAsync(string app) => (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", "app=" + app, "-o", "jsonpath={.items[0].metadata.name}")).Text;

    private static string Grant(string user, string workload) => $$"""
        apiVersion: fairlead.dev/v1alpha1
        kind: Grant
        metadata: { name: {{user}}-attach, namespace: fairlead }
        spec: { subjects: ["invite:{{user}}"], rules: [ { namespaces: [shop], services: ["{{workload}}"], verbs: [attach] } ] }
        """;

    /// <summary>Its pods answer on their loopback, of both families, and nowhere else.</summary>
    private string Deployment(string name) => $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: {{name}}, namespace: shop }
        spec:
          selector: { matchLabels: { app: {{name}} } }
          template:
            metadata: { labels: { app: {{name}} } }
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - { name: inner, {{Cluster.ShopContainer("peer", "127.0.0.1", "::1")}} }
        """;
}
