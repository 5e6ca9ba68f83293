using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>The resolver <c>dns</c> on a machine whose programs ask the servers of resolv.conf.</summary>
public sealed class ResolvConfTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Before = "# by hand\nsearch corp.example\nnameserver 192.0.2.53\noptions timeout:1 attempts:1\n";

    [Fact]
    public async Task Names_of_the_cluster_and_all_others_resolve_for_every_kind_of_program()
    {
        var laptop = await NewDnsLaptopAsync();
        var hosts = await laptop.Host.ReadAsync("/etc/hosts");
        await laptop.ConsumeAsync("shop/*");
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldBe(hosts);
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldContain("nameserver 127.72.0.53\n");

        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.CurlAsync("http://frontend.shop.svc.cluster.local/")).ShouldSucceed();
        (await laptop.Host.RunAsync("python3", "-c", "import socket; print(socket.getaddrinfo('frontend.shop', 80, proto=socket.IPPROTO_TCP)[0][4][0])")).Text.ShouldStartWith("127.7");
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");
        (await laptop.LookUpAsync("host")).ShouldBe("192.0.2.7");
        (await laptop.LookUpAsync("nothing.example.net.")).ShouldBeNull();

        // The cluster's names were nobody else's business.
        (await laptop.QueriesAsync(NamesLaptop.NetworkServer)).ShouldNotContain("shop");

        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe(Before);
    }

    [Fact]
    public async Task Answers_are_those_of_a_DNS_server()
    {
        var laptop = await NewDnsLaptopAsync();
        await laptop.ConsumeAsync("shop/*");
        var address = await laptop.LookUpAsync("frontend.shop");

        (await laptop.DigAsync("frontend.shop", "AAAA")).ShouldSatisfyAllConditions(answer => answer.ShouldContain("status: NOERROR"), answer => answer.ShouldContain("ANSWER: 0"));
        (await laptop.DigAsync("+tcp", "FrontEnd.shop")).ShouldContain($"FrontEnd.shop.\t\t5\tIN\tA\t{address}");
        (await laptop.DigAsync("missing.shop.svc.cluster.local")).ShouldContain("status: NXDOMAIN");
        (await laptop.DigAsync("-x", address!)).ShouldContain("frontend.shop.svc.cluster.local.");
        (await laptop.DigAsync("wpad.corp.example")).ShouldContain("status: NXDOMAIN");
        (await laptop.DigAsync("frontend.shop", "TXT")).ShouldContain("status: NOERROR");
        (await laptop.QueriesAsync(NamesLaptop.NetworkServer)).ShouldNotContain("wpad");

        (await laptop.FairleadAsync("primary-namespace", "set", "shop")).ShouldSucceed();
        (await laptop.LookUpAsync("frontend")).ShouldBe(address);
        (await laptop.FairleadAsync("options", "set", "dns-mappings", "www.mine=frontend.shop")).ShouldSucceed();
        await laptop.EventuallyResolvesAsync("www.mine", address!);
        (await laptop.FairleadAsync("options", "set", "dns-exclude-suffixes", "frontend.shop")).ShouldSucceed();
        await Shell.EventuallyAsync("an excluded name is not ours", async () => await laptop.LookUpAsync("frontend.shop.") is null);
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("192.0.2.53:53 is asked for all other names");
    }

    [Fact]
    public async Task Tunnel_that_is_down_makes_names_fail_for_now_and_never_denies_them()
    {
        var laptop = await NewDnsLaptopAsync();
        await laptop.ConsumeAsync("shop/*");
        await laptop.CutLinkAsync();
        await Shell.EventuallyAsync("names fail for now", async () => (await laptop.DigAsync("frontend.shop")).Contains("status: SERVFAIL"));
        (await laptop.DigAsync("missing.shop.svc.cluster.local")).ShouldContain("status: SERVFAIL");
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");
        await laptop.RestoreLinkAsync();
        await Shell.EventuallyAsync("names are there again", async () => (await laptop.DigAsync("frontend.shop")).Contains("status: NOERROR"), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Resolver_is_changed_while_everything_runs()
    {
        var laptop = await NewDnsLaptopAsync();
        await laptop.ConsumeAsync("shop/frontend");
        var address = await laptop.LookUpAsync("frontend.shop");
        (await laptop.FairleadAsync("options", "set", "resolver", "hosts")).ShouldSucceed().Output.ShouldNotContain("restart");
        await Shell.EventuallyAsync("the file is as it was", async () => await laptop.Host.ReadAsync("/etc/resolv.conf") == Before);
        (await laptop.LookUpAsync("frontend.shop")).ShouldBe(address);
        (await laptop.Host.ReadAsync("/etc/hosts")).ShouldContain("frontend.shop");
        await laptop.UseDnsAsync();
        await Shell.EventuallyAsync("the section is gone", async () => !(await laptop.Host.ReadAsync("/etc/hosts")).Contains("FAIRLEAD"));
        (await laptop.LookUpAsync("frontend.shop")).ShouldBe(address);
        (await laptop.FairleadAsync("consume", "--remove", "shop/frontend")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe(Before);
    }

    [Theory]
    [InlineData("start", "file")]
    [InlineData("cleanup", "file")]
    [InlineData("start", "link")]
    [InlineData("cleanup", "mount")]
    public async Task Killed_daemon_leaves_nothing_once_somebody_looks_after_it(string verb, string kind)
    {
        var laptop = await NewDnsLaptopAsync();
        (await laptop.Host.ShellAsync(kind switch
        {
            "link" => "mkdir /etc/real && mv /etc/resolv.conf /etc/real/ && ln -s real/resolv.conf /etc/resolv.conf",
            "mount" => "cp /etc/resolv.conf /run/resolv.mount && mount --bind /run/resolv.mount /etc/resolv.conf",
            _ => "true",
        })).ShouldSucceed();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
        await laptop.KillDaemonAsync();
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldContain("127.72.0.53");
        if (verb == "start")
        {
            await laptop.StartAsync();
            await Shell.EventuallyAsync("names are there again", async () => await laptop.LookUpAsync("frontend.shop") is not null);
            (await laptop.FairleadAsync("stop")).ShouldSucceed();
        }
        else
        {
            (await laptop.FairleadAsync(verb)).ShouldSucceed();
        }

        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe(Before);
        (await laptop.Host.ShellAsync("readlink /etc/resolv.conf")).Output.ShouldBe(kind == "link" ? "real/resolv.conf\n" : "");
    }

    /// <summary>As resolvconf and NetworkManager do it: they write where the symlink leads.</summary>
    [Fact]
    public async Task Servers_that_are_written_where_the_symlink_leads_are_asked_and_nobody_fights()
    {
        var laptop = await NewDnsLaptopAsync();
        (await laptop.Host.ShellAsync("mkdir /run/resolvconf && mv /etc/resolv.conf /run/resolvconf/ && ln -s ../run/resolvconf/resolv.conf /etc/resolv.conf")).ShouldSucceed();
        await laptop.StartServerAsync(NamesLaptop.VpnServer, "vpn.example", "192.0.2.8");
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.LookUpAsync("db.vpn.example.")).ShouldBeNull();
        (await laptop.Host.ShellAsync($"echo nameserver {NamesLaptop.VpnServer} > /run/resolvconf/new && mv /run/resolvconf/new /run/resolvconf/resolv.conf")).ShouldSucceed();
        await laptop.EventuallyResolvesAsync("db.vpn.example.", "192.0.2.8");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
        await laptop.Host.WriteAsync("/run/resolvconf/resolv.conf", Before);
        await laptop.EventuallyResolvesAsync("host.corp.example", "192.0.2.7");
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ShellAsync("readlink /etc/resolv.conf")).Text.ShouldBe("../run/resolvconf/resolv.conf");
    }

    /// <summary>As VPN scripts do it that know of no resolvconf: a backup, a file of their own, and the backup again.</summary>
    [Fact]
    public async Task VPN_that_rewrites_the_file_and_brings_it_back_has_its_servers_asked_meanwhile()
    {
        var laptop = await NewDnsLaptopAsync();
        await laptop.StartServerAsync(NamesLaptop.VpnServer, "vpn.example", "192.0.2.8");
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.Host.ShellAsync($"cp -p /etc/resolv.conf /etc/resolv.conf.vpn && echo nameserver {NamesLaptop.VpnServer} > /etc/resolv.conf")).ShouldSucceed();
        await laptop.EventuallyResolvesAsync("db.vpn.example.", "192.0.2.8");
        await Shell.EventuallyAsync("names of the cluster are there again", async () => await laptop.LookUpAsync("frontend.shop") is not null);

        (await laptop.Host.RunAsync("mv", "/etc/resolv.conf.vpn", "/etc/resolv.conf")).ShouldSucceed();
        await laptop.StopServerAsync(NamesLaptop.VpnServer);
        await laptop.EventuallyResolvesAsync("host.corp.example", "192.0.2.7");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe(Before);
    }

    [Fact]
    public async Task Program_that_keeps_rewriting_the_file_gets_it_and_is_named()
    {
        var laptop = await NewDnsLaptopAsync();
        await laptop.ConsumeAsync("shop/frontend");
        using var fighter = laptop.Host.Start("bash", "-c", "while sleep 0.2; do grep -q 127.72 /etc/resolv.conf && echo 'nameserver 192.0.2.53' > /etc/resolv.conf; done");
        await Shell.EventuallyAsync("doctor says so", async () => (await laptop.FairleadAsync("doctor")).Output.Contains("another program rewrote /etc/resolv.conf 3 times within a minute"));
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe("nameserver 192.0.2.53\n");
        fighter.Kill(entireProcessTree: true);
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.Host.ReadAsync("/etc/resolv.conf")).ShouldBe("nameserver 192.0.2.53\n");
    }

    [Fact]
    public async Task Immutable_file_is_a_clear_error_and_the_hosts_file_goes_on()
    {
        var laptop = await NewDnsLaptopAsync();
        (await laptop.Host.ShellAsync("cp /etc/resolv.conf /run/ro.conf && mount --bind /run/ro.conf /etc/resolv.conf && mount -o remount,ro,bind /etc/resolv.conf")).ShouldSucceed();
        var outcome = await laptop.FairleadAsync("consume", "shop/frontend");
        outcome.ExitCode.ShouldNotBe(0);
        outcome.Error.ShouldContain("/etc/resolv.conf");
        (await laptop.FairleadAsync("options", "set", "resolver", "hosts")).ShouldSucceed();
        await Shell.EventuallyAsync("the hosts file has the names", async () => await laptop.LookUpAsync("frontend.shop") is not null);
    }

    private async Task<Laptop> NewDnsLaptopAsync()
    {
        var laptop = await NewMemberAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7");
        await laptop.Host.WriteAsync("/etc/resolv.conf", Before);
        await laptop.UseDnsAsync();
        return laptop;
    }
}
