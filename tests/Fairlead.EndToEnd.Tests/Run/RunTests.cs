using System.Net;
using System.Net.Sockets;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Run;

/// <summary><c>fairlead run</c>, as a user without rights and without a daemon.</summary>
public sealed class RunTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Command_reaches_services_by_name_and_address_over_tcp_and_udp_and_by_ping()
    {
        Need(ClusterFeature.Postgres);
        var (_, dev) = await NewDeveloperAsync();

        (await dev.RunScriptAsync("""
            set -e
            for name in frontend.shop frontend.shop.svc frontend.shop.svc.cluster.local; do curl -sS --max-time 10 http://$name/healthz; done
            address=$(getent ahostsv4 frontend.shop | head -n1 | cut -d' ' -f1)
            curl -sS --max-time 10 http://$address/healthz
            exec 3<>/dev/udp/quotes.shop/17; echo please >&3; timeout 10 dd bs=600 count=1 status=none <&3 | grep -q . && echo quoted
            ping -c1 -W10 $(getent ahostsv4 postgres-0.postgres.shop | head -n1 | cut -d' ' -f1) > /dev/null && echo alive
            """)).Text.Split('\n').ShouldBe(["ok", "ok", "ok", "ok", "quoted", "alive"]);
    }

    [Fact]
    public async Task Command_with_a_namespace_has_its_bare_names_and_a_database()
    {
        Need(ClusterFeature.Postgres);
        var (_, dev) = await NewDeveloperAsync();

        (await dev.RunScriptAsync("PGPASSWORD=shop psql -h postgres -U shop -Atc 'select 1' shop", "-n", "shop")).Text.ShouldBe("1");
    }

    [Fact]
    public async Task Command_with_rules_reaches_what_they_name_and_nothing_else()
    {
        var (_, dev) = await NewDeveloperAsync();

        var outcome = (await dev.RunScriptAsync("curl -sS --max-time 10 http://frontend.shop/healthz; getent hosts redis.shop.svc; getent ahostsv4 frontend.shop", "--consume", "shop/frontend")).ShouldSucceed();
        outcome.Output.ShouldStartWith("ok\n247.");
        outcome.Output.ShouldNotContain("redis");
    }

    [Fact]
    public async Task Refused_is_refused_and_the_exit_code_is_the_commands()
    {
        var (_, dev) = await NewDeveloperAsync();

        (await dev.RunAsync("curl", "-sS", "--max-time", "10", "http://frontend.shop:81/")).ShouldFail(7);
        (await dev.RunAsync("sh", "-c", "exit 7")).ShouldFail(7);
        (await dev.RunAsync("sh", "-c", "kill -TERM $$")).ShouldFail(128 + 15);
        (await dev.RunAsync("no-such-command")).ShouldFail(127).Error.ShouldContain("not found");
    }

    [Fact]
    public async Task Command_is_the_user_with_no_rights_beyond()
    {
        var (_, dev) = await NewDeveloperAsync();

        var lines = (await dev.RunScriptAsync("id -un; grep -E 'Cap(Prm|Eff|Amb|Inh)' /proc/self/status | awk '{print $2}' | sort -u; ip link set lo down 2>&1 | tail -n1; touch ~/mine; stat -c %U ~/mine")).Text.Split('\n');
        lines.ShouldBe(["dev", "0000000000000000", "RTNETLINK answers: Operation not permitted", "dev"]);
    }

    [Fact]
    public async Task Host_is_untouched_while_a_command_runs_and_nothing_is_left_after()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await Shell.EventuallyAsync("the addresses have settled", async () => !(await laptop.Host.RunAsync("ip", "address")).Text.Contains("tentative"));
        var before = await SnapshotAsync(laptop);

        using var run = dev.Start(Programs.Fairlead, "run", "--", "sh", "-c", "echo begun; exec cat");
        (await run.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("begun");
        (await SnapshotAsync(laptop)).ShouldBe(before);

        run.StandardInput.Close();
        await run.WaitForExitAsync(Limit.Token);
        await NothingRunsAsync(laptop);
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    [Fact]
    public async Task Killed_command_takes_its_network_along()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        using var run = dev.Start(Programs.Fairlead, "run", "--", "sh", "-c", "echo $$; exec sleep 1000");
        var pid = (await run.StandardOutput.ReadLineAsync(Limit.Token))!;

        (await laptop.Host.RunAsync("kill", "-9", pid)).ShouldSucceed();
        await run.WaitForExitAsync(Limit.Token);
        await NothingRunsAsync(laptop);
    }

    [Fact]
    public async Task Command_whose_carrier_is_killed_goes_on_without_a_network()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        using var run = dev.Start(Programs.Fairlead, "run", "--", "bash", "-c", "echo begun; read; while ip route | grep -q default; do sleep 0.1; done; curl -s --max-time 5 http://198.18.0.2/; echo $?; exit 3");
        (await run.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("begun");

        (await laptop.Host.RunAsync("pkill", "-9", "-f", "fairlead run-carry")).ShouldSucceed();
        await NothingRunsAsync(laptop);
        await run.StandardInput.WriteLineAsync();
        (await run.StandardOutput.ReadToEndAsync(Limit.Token)).ShouldBe("7\n");
        await run.WaitForExitAsync(Limit.Token);
        run.ExitCode.ShouldBe(3);
    }

    [Fact]
    public async Task Terminal_is_the_commands_own()
    {
        var (_, dev) = await NewDeveloperAsync();

        // script(1) makes a terminal, and what is typed there reaches the command as signals.
        using var terminal = dev.Start("script", "--quiet", "--return", "--flush", "--command", $"exec {Programs.Fairlead} run -- bash -c 'trap \"echo interrupted; exit 42\" INT; test -t 0 && echo begun; while :; do sleep 0.1; done'", "/dev/null");
        for (string? line = ""; !line.Contains("begun", StringComparison.Ordinal);)
        {
            line = await terminal.StandardOutput.ReadLineAsync(Limit.Token) ?? throw new EndOfStreamException("the terminal ended");
        }

        await terminal.StandardInput.WriteAsync('\x03');
        await terminal.StandardInput.FlushAsync(Limit.Token);
        (await terminal.StandardOutput.ReadToEndAsync(Limit.Token)).ShouldContain("interrupted");
        await terminal.WaitForExitAsync(Limit.Token);
        terminal.ExitCode.ShouldBe(42);
    }

    [Fact]
    public async Task Internet_and_vpn_are_reached_through_the_host_even_where_the_vpn_covers_the_cluster()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await using var office = await Host.CreateAsync("office");
        const int Cable = 8000;
        await laptop.Host.ConnectAsync(office, Cable);

        // The VPN has the cluster's services and more, but not the way to the gateway.
        var octet = (await Cluster.KubectlAsync("get", "service", "-n", "shop", "frontend", "-o", "jsonpath={.spec.clusterIP}")).Text.Split('.')[0];
        var behind = $"{octet}.254.254.5";
        (await office.RunAsync("ip", "addr", "add", $"{behind}/32", "dev", "lo")).ShouldSucceed();
        foreach (var node in Cluster.NodeAddresses)
        {
            (await laptop.Host.RunAsync("ip", "route", "add", node, "via", laptop.Gateway)).ShouldSucceed();
        }

        (await laptop.Host.RunAsync("ip", "route", "add", $"{octet}.0.0.0/8", "via", Host.CableAddress(Cable, 2))).ShouldSucceed();
        using var server = office.OpenSocket(SocketType.Stream);
        server.Bind(new IPEndPoint(IPAddress.Parse(behind), 80));
        server.Listen();
        var answering = AnswerAsync(server);

        (await dev.RunScriptAsync($"timeout 10 cat < /dev/tcp/{behind}/80; timeout 10 cat < /dev/tcp/{behind}/81 || echo refused; curl -sS --max-time 10 http://frontend.shop/healthz"))
            .Text.Split('\n').ShouldBe(["office", "refused", "ok"]);
        server.Dispose();
        await answering;
    }

    [Fact]
    public async Task Loopback_is_the_commands_own()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        using var server = laptop.Host.OpenSocket(SocketType.Stream);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 8080));
        server.Listen();

        (await dev.RunScriptAsync("cat < /dev/tcp/127.0.0.1/8080 || echo refused")).Text.ShouldBe("refused");
    }

    [Fact]
    public async Task Names_of_others_go_to_the_hosts_resolver_and_the_daemons_names_stay_outside()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        await laptop.Host.WriteAsync("/etc/hosts", "127.0.0.1 localhost\n192.0.2.7 printer.home\n###\n# FAIRLEAD\n# This section is managed by Fairlead. Do not edit manually.\n127.72.0.4 frontend.shop\n# /FAIRLEAD\n###\n");
        using var dns = laptop.Host.Start("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--address=/corp.example/192.0.2.9", "--pid-file=/run/dns.pid");
        await Shell.EventuallyAsync("the host's DNS server answers", async () => (await laptop.Host.RunAsync("getent", "hosts", "wiki.corp.example")).ExitCode == 0);

        (await dev.RunScriptAsync("getent hosts wiki.corp.example | cut -d' ' -f1; getent hosts printer.home | cut -d' ' -f1; getent ahostsv4 frontend.shop | grep -c '^127'; test -e /etc/resolv.conf && grep -c nameserver /etc/resolv.conf"))
            .Text.Split('\n').ShouldBe(["192.0.2.9", "192.0.2.7", "0", "1"]);
        dns.Kill(entireProcessTree: true);
    }

    [Fact]
    public async Task Two_commands_run_side_by_side()
    {
        var (_, dev) = await NewDeveloperAsync();
        const string Script = "echo begun; read; curl -sS --max-time 10 http://frontend.shop/healthz";
        using var first = dev.Start(Programs.Fairlead, "run", "--", "bash", "-c", Script);
        using var second = dev.Start(Programs.Fairlead, "run", "--consume", "shop/frontend", "--", "bash", "-c", Script);
        foreach (var run in new[] { first, second })
        {
            (await run.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("begun");
        }

        foreach (var run in new[] { first, second })
        {
            await run.StandardInput.WriteLineAsync();
            (await run.StandardOutput.ReadToEndAsync(Limit.Token)).ShouldBe("ok\n");
        }
    }

    [Fact]
    public async Task Forbidden_user_namespaces_are_named_with_what_to_do()
    {
        var (laptop, dev) = await NewDeveloperAsync();

        // The setting belongs to a user namespace: of one that is made for it, not of this machine.
        var outcome = await laptop.Host.RunAsync(
            "unshare", "--user", "--map-root-user", "sh", "-c", $"echo 0 > /proc/sys/user/max_user_namespaces && HOME=/root SUDO_UID= {Programs.Fairlead} run -- true");
        outcome.ShouldFail(4).Error.ShouldContain("user.max_user_namespaces is 0");
        outcome.Error.ShouldContain("sudo sysctl -w user.max_user_namespaces=");
        (await dev.FairleadAsync("doctor")).Output.ShouldContain("private networks");
    }

    /// <summary>Whoever runs a command once a week need not join each time.</summary>
    [Fact]
    public async Task Certificate_that_expired_since_the_last_command_is_renewed_until_access_is_revoked()
    {
        var (laptop, dev) = await NewDeveloperAsync();
        using var authority = await SpaceAuthority.LoadAsync(Cluster);
        await authority.ExpireAsync(laptop, Developer.RunState);
        (await dev.RunAsync("curl", "-sS", "--max-time", "10", "http://frontend.shop/healthz")).Text.ShouldBe("ok");

        await authority.ExpireAsync(laptop, Developer.RunState);
        (await Cluster.FairleadAsync(["space", "revoke", $"dev{laptop.Number}", "--kubeconfig", Cluster.Kubeconfig])).ShouldSucceed();
        var refused = (await dev.RunAsync("true")).ShouldFail(4);
        refused.Error.ShouldContain("revoked");
        refused.Error.ShouldContain("new token");
    }

    [Fact]
    public async Task Run_without_a_space_says_how_to_join()
    {
        var laptop = await NewLaptopAsync(start: false);
        var dev = await Developer.AddAsync(laptop);

        var outcome = await dev.RunAsync("true");
        outcome.ShouldFail(3).Error.ShouldContain("fairlead join --for-run TOKEN");
    }

    private async Task<(Laptop Laptop, Developer Developer)> NewDeveloperAsync()
    {
        var laptop = await NewLaptopAsync(start: false);
        return (laptop, await Developer.AddMemberAsync(laptop, Cluster));
    }

    private static async Task<string> SnapshotAsync(Laptop laptop) => (await laptop.Host.ShellAsync(
        "ip -d address; ip route show table all; ip -6 route show table all; ip rule; nft list ruleset; sha256sum /etc/hosts /etc/resolv.conf /etc/nsswitch.conf; ls /run /run/netns; cat /proc/mounts; ss -Hltn; sysctl -a 2>/dev/null | grep -E '^net.*(forward|rp_filter|ping_group)'")).Text;

    private static Task NothingRunsAsync(Laptop laptop) =>
        Shell.EventuallyAsync("nothing of it runs any more", async () => (await laptop.Host.RunAsync("pgrep", "-f", "fairlead run-carry")).ExitCode == 1);

    private static async Task AnswerAsync(Socket server)
    {
        try
        {
            while (true)
            {
                using var connection = await server.AcceptAsync(Limit.Token);
                await connection.SendAsync("office\n"u8.ToArray(), Limit.Token);
                connection.Shutdown(SocketShutdown.Both);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }
}
