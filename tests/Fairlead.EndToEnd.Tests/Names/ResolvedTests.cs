using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>The resolver <c>dns</c> on a machine where systemd-resolved answers programs: the real one, without systemd around it.</summary>
public sealed class ResolvedTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Theory]
    [InlineData("stub")]
    [InlineData("module")]
    public async Task Names_of_the_cluster_are_asked_of_us_and_all_others_of_their_links(string kind)
    {
        var laptop = await NewResolvedLaptopAsync();
        var before = await StateAsync(laptop);
        if (kind == "module")
        {
            await SystemdResolved.UseModuleAsync(laptop);
        }

        await laptop.ConsumeAsync("shop/*");
        (await LookUpAsync(laptop, "frontend.shop", kind)).ShouldStartWith("127.7");
        (await LookUpAsync(laptop, "frontend.shop.svc.cluster.local", kind)).ShouldStartWith("127.7");
        (await LookUpAsync(laptop, "host.corp.example", kind)).ShouldBe("192.0.2.7");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.QueriesAsync(NamesLaptop.NetworkServer)).ShouldNotContain("shop");
        (await laptop.FairleadAsync("primary-namespace", "set", "shop")).ShouldSucceed();
        (await LookUpAsync(laptop, "frontend", kind)).ShouldStartWith("127.7");
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("systemd-resolved");

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await StateAsync(laptop)).ShouldBe(before);
        (await laptop.Host.RunAsync("ip", "link", "show", "fairlead-dns")).ExitCode.ShouldNotBe(0);
    }

    [Fact]
    public async Task VPN_with_names_of_its_own_keeps_them_beside_ours()
    {
        var laptop = await NewResolvedLaptopAsync();
        await laptop.ConsumeAsync("shop/frontend");
        await laptop.StartServerAsync(NamesLaptop.VpnServer, "vpn.example", "192.0.2.8");
        (await laptop.Host.ShellAsync($"ip link add vpn0 type veth peer name vpn1 && ip addr add 10.8.0.2/24 dev vpn0 && ip link set vpn1 up && ip link set vpn0 up && {SystemdResolved.Binaries}/resolvectl dns vpn0 {NamesLaptop.VpnServer} && {SystemdResolved.Binaries}/resolvectl domain vpn0 '~vpn.example'")).ShouldSucceed();
        await laptop.EventuallyResolvesAsync("db.vpn.example", "192.0.2.8");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");
        (await laptop.Host.ShellAsync("ip link del vpn0")).ShouldSucceed();
        await Shell.EventuallyAsync("the VPN's names are gone", async () => await laptop.LookUpAsync("other.vpn.example") is null);
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
    }

    [Fact]
    public async Task Killed_daemon_leaves_nothing_behind_and_other_names_go_on()
    {
        var laptop = await NewResolvedLaptopAsync();
        var before = await StateAsync(laptop);
        await laptop.ConsumeAsync("shop/frontend");
        await laptop.KillDaemonAsync();
        await Shell.EventuallyAsync("resolved forgot the link", async () => await StateAsync(laptop) == before);
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");
        await laptop.StartAsync();
        await Shell.EventuallyAsync("names are there again", async () => await laptop.LookUpAsync("frontend.shop") is not null);
    }

    [Fact]
    public async Task Link_that_is_deleted_under_us_comes_back()
    {
        var laptop = await NewResolvedLaptopAsync();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.Host.RunAsync("ip", "link", "del", "fairlead-dns")).ShouldSucceed();
        await Shell.EventuallyAsync("names are there again", async () => await laptop.LookUpAsync("frontend.shop") is not null, TimeSpan.FromSeconds(60));
    }

    private static async Task<string?> LookUpAsync(Laptop laptop, string name, string kind)
    {
        if (kind == "stub")
        {
            return await laptop.LookUpAsync(name);
        }

        var outcome = await laptop.Host.RunAsync("env", $"LD_LIBRARY_PATH={SystemdResolved.Libraries}", "getent", "-s", "resolve", "ahostsv4", name);
        return outcome.ExitCode == 0 ? outcome.Output.Split(' ', 2)[0] : null;
    }

    /// <summary>What resolved knows, and resolv.conf. Link numbers and servers in use come and go.</summary>
    private static async Task<string> StateAsync(Laptop laptop) =>
        (await laptop.Host.ShellAsync($"{SystemdResolved.Binaries}/resolvectl dns; {SystemdResolved.Binaries}/resolvectl domain; readlink /etc/resolv.conf; cat /etc/resolv.conf; cat /etc/hosts")).ShouldSucceed().Output;

    private async Task<Laptop> NewResolvedLaptopAsync()
    {
        var laptop = await NewLaptopAsync(start: false);
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7");
        await SystemdResolved.StartAsync(laptop);
        laptop.Environment["PATH"] = $"{SystemdResolved.Binaries}:{System.Environment.GetEnvironmentVariable("PATH")}";
        await laptop.StartAsync();
        await Cluster.JoinAsync(laptop, "shop");
        await laptop.UseDnsAsync();
        return laptop;
    }
}
