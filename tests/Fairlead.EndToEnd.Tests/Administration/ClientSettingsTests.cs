using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Administration;

/// <summary>What an admin does to a gateway while people are connected to it.</summary>
[Collection(Disturbing.Name)]
public sealed class ClientSettingsTests(SharedCluster shared) : ClusterTest(shared)
{
    [Fact]
    public async Task Settings_reach_a_connected_laptop_live_and_its_own_win()
    {
        var laptop = await NewMemberAsync();
        var since = await SinceAsync(laptop);
        await UpgradeAsync("client.routing.neverProxySubnets={10.8.0.0/16,10.9.0.0/16}");
        await Shell.EventuallyAsync("the laptop has heard", async () => (await OptionAsync(laptop)) == ("10.8.0.0/16,10.9.0.0/16", "Gateway"));
        (await laptop.FairleadAsync("status")).ShouldSucceed().Output.ShouldContain("never-proxy-subnets = 10.8.0.0/16,10.9.0.0/16");

        (await laptop.FairleadAsync("options", "set", "never-proxy-subnets", "10.7.0.0/16")).ShouldSucceed();
        (await OptionAsync(laptop)).ShouldBe(("10.7.0.0/16", "Laptop"));
        (await laptop.FairleadAsync("options", "unset", "never-proxy-subnets")).ShouldSucceed();

        await UpgradeAsync("client.routing.neverProxySubnets=null");
        await Shell.EventuallyAsync("it is taken back", async () => (await OptionAsync(laptop)) == ("", "Default"));
        (await SinceAsync(laptop)).ShouldBe(since, "nothing had to connect anew");
    }

    [Theory]
    [InlineData("image.repository=nowhere.example/none", "can't have its image nowhere.example/none")]
    [InlineData("nodeSelector.disk=none", "nodes are available")]
    public async Task Upgrade_that_can_t_come_up_is_named_with_the_clusters_reason_and_the_gateways_that_run_serve_on(string set, string reason)
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        try
        {
            var outcome = await GatewayAsync("upgrade", "--set", set, "--timeout", "10s");
            outcome.ExitCode.ShouldBeOneOf(1, 6);
            outcome.Error.ShouldContain(reason);
            (await GatewayAsync("status")).ShouldFail(1).Error.ShouldContain(reason);
            (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        }
        finally
        {
            (await GatewayAsync("upgrade", "--no-wait", "--set", "image=null,nodeSelector=null")).ShouldSucceed();
            await Cluster.InstallGatewayAsync();
        }

        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
    }

    [Fact]
    public async Task Uninstall_while_people_are_connected_is_refused_and_names_them()
    {
        var laptop = await NewMemberAsync();
        await Shell.EventuallyAsync("the gateway tells who is there", async () => (await Cluster.FairleadAsync(["gateway", "status", "--kubeconfig", Cluster.Kubeconfig])).Output.Contains($"invite:{laptop.User}"));
        var outcome = await Cluster.FairleadAsync(["gateway", "uninstall", "--kubeconfig", Cluster.Kubeconfig]);
        outcome.ShouldFail(5);
        outcome.Error.ShouldContain($"invite:{laptop.User}");
        (await Cluster.KubectlAsync("get", "deployment", "fairlead-gateway", "-n", "fairlead")).ShouldSucceed();
    }

    [Fact]
    public async Task Uninstall_asks_at_a_terminal_stays_at_no_and_at_yes_ends_everybodys_access()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        var status = new[] { "gateway", "status", "--kubeconfig", Cluster.Kubeconfig };
        await Shell.EventuallyAsync("the gateway tells who is there", async () => (await Cluster.FairleadAsync(status)).Output.Contains($"invite:{laptop.User}"));
        var uninstall = $"{Programs.Fairlead} gateway uninstall --kubeconfig {Cluster.Kubeconfig}";

        // script(1) is the terminal; what is typed is there before it is asked for.
        var no = await Cluster.Host.ShellAsync($"echo n | script -qec '{uninstall}' /dev/null");
        no.ShouldFail(5);
        no.Output.ShouldContain($"invite:{laptop.User}");
        no.Output.ShouldContain("They lose access, and have to be invited anew. Remove the gateway? [y/N]");
        no.Output.ShouldContain("The gateway stays as it is");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        try
        {
            var yes = await Cluster.Host.RunAsync(["sh", "-c", $"{uninstall} --yes"], limit: TimeSpan.FromSeconds(180));
            yes.ShouldSucceed();
            yes.Output.ShouldContain("The gateway is removed.");
            (await Cluster.KubectlAsync("get", "deployment", "fairlead-gateway", "-n", "fairlead")).ExitCode.ShouldNotBe(0);
            (await Cluster.KubectlAsync("get", "crd", "-o", "name")).Text.ShouldNotContain("fairlead.dev");
            (await laptop.CurlAsync("http://frontend.shop/")).ExitCode.ShouldNotBe(0);
            await Shell.EventuallyAsync("the laptop says so", async () => (await laptop.FairleadAsync("status")).Output is var said
                && (said.Contains("disconnected", StringComparison.Ordinal) || said.Contains("refused", StringComparison.Ordinal)), TimeSpan.FromSeconds(30));
        }
        finally
        {
            await Cluster.InstallGatewayAsync();
        }

        // Another space by the same name: who was in the old one has nothing in it.
        await Shell.EventuallyAsync("the laptop is refused", async () => (await laptop.FairleadAsync("status")).Text.Contains("join again with a new token"), TimeSpan.FromSeconds(60));
        (await laptop.FairleadAsync("leave")).ShouldSucceed();
        await Cluster.JoinAsync(laptop, "shop");
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
    }

    private async Task UpgradeAsync(string set) => (await GatewayAsync("upgrade", "--set", set)).ShouldSucceed();

    private Task<Outcome> GatewayAsync(string verb, params string[] more) =>
        Cluster.FairleadAsync(["gateway", verb, "--kubeconfig", Cluster.Kubeconfig, .. more], TimeSpan.FromSeconds(120));

    private static async Task<(string? Value, string? Source)> OptionAsync(Laptop laptop)
    {
        var list = JsonDocument.Parse((await laptop.FairleadAsync("options", "list", "-o", "json")).ShouldSucceed().Output).RootElement.GetProperty("options");
        var option = list.EnumerateArray().Single(o => o.GetProperty("key").GetString() == "never-proxy-subnets");
        return (option.GetProperty("value").GetString(), option.GetProperty("source").GetString());
    }

    private static async Task<string?> SinceAsync(Laptop laptop) =>
        JsonDocument.Parse((await laptop.FairleadAsync("status", "-o", "json")).ShouldSucceed().Output).RootElement.GetProperty("spaces")[0].GetProperty("since").GetString();
}
