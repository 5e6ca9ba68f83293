using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Connect;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.EndToEnd.Tests.Names;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Run;

/// <summary>A command in its private network on a host with a VPN, or with a resolver that programs ask past resolv.conf.</summary>
public sealed class RunHostTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Internet = "203.0.113.80";

    [Fact]
    public async Task Internet_and_an_OpenVPN_that_comes_and_goes_meanwhile_are_reached_with_its_names()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await laptop.Host.RunAsync("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647").ShouldSucceedAsync();
        foreach (var node in Cluster.NodeAddresses)
        {
            await laptop.Host.RunAsync("ip", "route", "add", node, "via", laptop.Gateway).ShouldSucceedAsync();
        }

        // The internet is at the end of another cable; the VPN has the cluster's services and more.
        await using var internet = await Host.CreateAsync("internet");
        const int Cable = 8011;
        await laptop.Host.ConnectAsync(internet, Cable);
        await internet.RunAsync("ip", "addr", "add", Internet + "/32", "dev", "lo").ShouldSucceedAsync();
        await laptop.Host.RunAsync("ip", "route", "add", Internet, "via", Host.CableAddress(Cable, 2)).ShouldSucceedAsync();
        using var web = internet.Start("socat", "-U", $"TCP-LISTEN:80,bind={Internet},fork,reuseaddr", "SYSTEM:echo internet");
        var octet = (await Cluster.KubectlAsync("get", "service", "-n", "shop", "frontend", "-o", "jsonpath={.spec.clusterIP}")).Text.Split('.')[0];
        var behind = $"{octet}.254.254.5";
        await using var vpn = await VpnServer.CreateAsync(laptop, behind);
        await vpn.StartOpenVpnServerAsync($"route {octet}.0.0.0 255.0.0.0", $"dhcp-option DNS {VpnServer.OpenVpnAddress}");
        await vpn.StartNamesAsync("vpn.example", behind);
        await vpn.StartGreetingAsync(behind, 80, "office");
        await vpn.UseScriptForNamesAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7", "--address=/vpn.example/");
        await laptop.Host.WriteAsync("/etc/resolv.conf", $"nameserver {NamesLaptop.NetworkServer}\noptions timeout:1 attempts:1\n");

        using var run = dev.Start(Programs.Fairlead, "run", "--", "bash", "-c", $$"""
            echo begun
            while read; do
              curl -sS --max-time 10 http://frontend.shop/healthz 2>&1
              timeout 10 cat < /dev/tcp/{{Internet}}/80
              getent ahostsv4 wiki.corp.example > /dev/null && echo network-name
              getent ahostsv4 db.vpn.example > /dev/null && { timeout 10 cat < /dev/tcp/db.vpn.example/80; ping -n -c 1 -W 10 {{behind}} > /dev/null && echo alive; }
              (timeout 10 cat < /dev/tcp/{{behind}}/81) 2> /dev/null || echo refused
              echo end
            done
            """);
        (await run.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("begun");
        await using (await vpn.StartOpenVpnClientAsync())
        {
            await laptop.EventuallyResolvesAsync("db.vpn.example", behind);
            var prober = await Prober.StartAsync(laptop, behind);
            (await AskAsync(run)).ShouldBe(["ok", "internet", "office", "alive", "refused"]);
            await prober.ShouldHaveLostNothingAsync(TimeSpan.FromSeconds(1));
        }

        await laptop.EventuallyResolvesAsync("wiki.corp.example", "192.0.2.7");
        (await AskAsync(run))[..3].ShouldBe(["ok", "internet", "network-name"]);
        run.StandardInput.Close();
        await run.WaitForExitAsync(Limit.Token);
        web.Kill(entireProcessTree: true);
    }

    [Fact]
    public async Task Cache_of_the_host_that_knows_of_no_cluster_is_not_asked()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7", "--address=/shop/");
        await laptop.Host.WriteAsync("/etc/resolv.conf", $"nameserver {NamesLaptop.NetworkServer}\n");
        await NameServiceCache.StartAsync(laptop);
        const string Connect = $"socat -u OPEN:/dev/null UNIX-CONNECT:{NameServiceCache.Socket}";
        (await laptop.Host.ShellAsync(Connect)).ShouldSucceed();
        (await laptop.LookUpAsync("frontend.shop")).ShouldBeNull();

        (await dev.RunScriptAsync($"getent ahostsv4 frontend.shop > /dev/null && curl -sS --max-time 10 http://frontend.shop/healthz; getent ahostsv4 wiki.corp.example | head -n 1 | cut -d' ' -f1; {Connect} 2> /dev/null || echo refused"))
            .Text.Split('\n').ShouldBe(["ok", "192.0.2.7", "refused"]);
        (await laptop.Host.ShellAsync(Connect)).ShouldSucceed();
    }

    [Fact]
    public async Task Systemd_resolved_of_the_host_is_not_asked_for_the_clusters_names_by_its_module_either()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7", "--address=/shop/");
        await SystemdResolved.StartAsync(laptop);
        await SystemdResolved.UseModuleAsync(laptop);
        const string Look = "getent ahostsv4 frontend.shop > /dev/null && echo found || echo none; getent ahostsv4 wiki.corp.example | head -n 1 | cut -d' ' -f1";
        (await laptop.Host.ShellAsync($"export LD_LIBRARY_PATH={SystemdResolved.Libraries}; {Look}")).Text.Split('\n').ShouldBe(["none", "192.0.2.7"]);

        (await dev.RunScriptAsync($"export LD_LIBRARY_PATH={SystemdResolved.Libraries}; {Look}")).Text.Split('\n').ShouldBe(["found", "192.0.2.7"]);
    }

    /// <summary>What the command says to a line, up to its end.</summary>
    private static async Task<string[]> AskAsync(Process run)
    {
        await run.StandardInput.WriteLineAsync();
        var said = new List<string>();
        while (await run.StandardOutput.ReadLineAsync(Limit.Token) is { } line && line != "end")
        {
            said.Add(line);
        }

        return [.. said];
    }

    private async Task<(Laptop Laptop, Developer Developer)> NewDeveloperAsync()
    {
        var laptop = await NewLaptopAsync(start: false);
        return (laptop, await Developer.AddMemberAsync(laptop, Cluster));
    }
}
