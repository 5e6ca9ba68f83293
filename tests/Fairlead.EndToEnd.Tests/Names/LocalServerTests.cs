using System.Diagnostics;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>A machine that has a DNS server of its own already.</summary>
public sealed class LocalServerTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Theory]
    [InlineData("dnsmasq", "127.0.0.1")]
    [InlineData("dnsmasq", "127.0.0.53")]
    [InlineData("unbound", "127.0.0.1")]
    [InlineData("unbound", "127.0.0.53")]
    public async Task Server_on_a_loopback_address_stays_and_is_asked(string program, string address)
    {
        var laptop = await NewMemberAsync();
        await laptop.StartServerAsync(NamesLaptop.NetworkServer, "corp.example", "192.0.2.7");
        await StartAsync(laptop, program, address, NamesLaptop.NetworkServer);
        await laptop.Host.WriteAsync("/etc/resolv.conf", $"nameserver {address}\n");
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");

        await laptop.UseDnsAsync();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.LookUpAsync("other.corp.example")).ShouldBe("192.0.2.7");
        (await laptop.DigAsync("+tcp", $"@{address}", "third.corp.example")).ShouldContain("192.0.2.7");
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain($"{address} is {program}");
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        (await laptop.LookUpAsync("host.corp.example")).ShouldBe("192.0.2.7");
    }

    /// <summary>A server that takes its own servers from resolv.conf asks us once we are in there.</summary>
    [Theory]
    [InlineData("dnsmasq")]
    [InlineData("unbound")]
    public async Task Server_that_comes_to_ask_us_what_we_ask_it_fails_at_once(string program)
    {
        var laptop = await NewMemberAsync();
        await StartAsync(laptop, program, "127.0.0.1", "127.72.0.53");
        await laptop.Host.WriteAsync("/etc/resolv.conf", "nameserver 127.0.0.1\n");
        await laptop.UseDnsAsync();
        await laptop.ConsumeAsync("shop/frontend");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();

        var clock = Stopwatch.StartNew();
        (await laptop.DigAsync("www.example.com")).ShouldContain("status: SERVFAIL");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(4));
        (await laptop.FairleadAsync("doctor")).Output.ShouldContain("asked us");
        (await laptop.LookUpAsync("frontend.shop")).ShouldNotBeNull();
    }

    private static async Task StartAsync(Laptop laptop, string program, string address, string upstream)
    {
        if (program == "dnsmasq")
        {
            await laptop.StartServerAsync(address, "local.example", "192.0.2.9", $"--server={upstream}");
            return;
        }

        await laptop.Host.WriteAsync("/etc/unbound-test.conf", $"""
            server:
              interface: {address}
              do-not-query-localhost: no
              chroot: ""
              username: ""
              directory: /run
              pidfile: /run/unbound-test.pid
              use-syslog: no
              do-daemonize: yes
              module-config: "iterator"
            remote-control:
              control-enable: no
            forward-zone:
              name: "."
              forward-addr: {upstream}
            """);
        (await laptop.Host.RunAsync("unbound", "-c", "/etc/unbound-test.conf")).ShouldSucceed();
        await Shell.EventuallyAsync("unbound listens", async () => (await laptop.DigAsync($"@{address}", "id.server", "CH", "TXT")).Contains("status:"));
    }
}
