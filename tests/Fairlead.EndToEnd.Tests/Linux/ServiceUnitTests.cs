using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>The daemon as deploy/systemd/fairlead.service starts it, without systemd: told when it is ready, with those capabilities and no others.</summary>
public sealed class ServiceUnitTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Daemon_tells_that_it_serves_connects_with_the_units_capabilities_and_is_cleaned_up_after_when_it_is_killed()
    {
        var laptop = await NewLaptopAsync(start: false);
        var before = await SnapshotAsync(laptop);
        using var daemon = laptop.Host.Start("bash", "-c", $$"""
            export NOTIFY_SOCKET=/run/notify
            python3 -c 'import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("/run/notify"); print("listening", flush=True); print(s.recv(64).decode(), flush=True)' &
            while [ ! -S /run/notify ]; do sleep 0.05; done
            exec setpriv --no-new-privs --bounding-set=-all,{{Capabilities()}} {{Programs.Fairlead}} daemon
            """);
        (await daemon.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("listening");
        (await daemon.StandardOutput.ReadLineAsync(Limit.Token)).ShouldBe("READY=1");
        await Cluster.JoinAsync(laptop, "shop");
        (await laptop.FairleadAsync("options", "set", "resolver", "dns")).ShouldSucceed();
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        (await laptop.CurlAsync("http://frontend.shop/healthz")).Text.ShouldBe("ok");
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        await laptop.ConsumeAsync("shop/*");
        (await laptop.CurlAsync("http://frontend.shop/healthz")).Text.ShouldBe("ok");

        await laptop.KillDaemonAsync();
        await daemon.WaitForExitAsync(Limit.Token);
        (await laptop.FairleadAsync("cleanup")).ShouldSucceed();
        (await SnapshotAsync(laptop)).ShouldBe(before);
    }

    /// <summary>As setpriv(1) takes them: without the prefix, each with a plus.</summary>
    private static string Capabilities()
    {
        const string Setting = "CapabilityBoundingSet=";
        var line = File.ReadLines(Path.Combine(Programs.Root, "deploy/systemd/fairlead.service")).Single(l => l.StartsWith(Setting, StringComparison.Ordinal));
        return string.Join(',', line[Setting.Length..].Split(' ').Select(c => "+" + c["CAP_".Length..].ToLowerInvariant()));
    }

    private static async Task<string> SnapshotAsync(Laptop laptop) =>
        (await laptop.Host.ShellAsync("ip rule; ip -6 rule; ip route show table all | sort; ip -o link | cut -d: -f2; cat /etc/resolv.conf /etc/hosts; nft list ruleset")).ShouldSucceed().Text;
}
