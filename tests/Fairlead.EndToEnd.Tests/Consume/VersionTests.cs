using System.Net;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Programs of different versions that meet: what doesn't fit is named on both sides, with what to upgrade.</summary>
public sealed class VersionTests(SharedCluster cluster) : ClusterTest(cluster)
{
    /// <summary>As a gateway says it (its Negotiation), or, the last one, a choice that was none of ours.</summary>
    [Theory]
    [InlineData(400, """{"error":{"category":"Usage","code":"protocol-unsupported","message":"This Fairlead and the gateway do not understand each other","why":"it (0.1.0) speaks protocol 1, the gateway (3.0.0) 2 to 3","hint":"Upgrade Fairlead on this machine."}}""", "(3.0.0) 2 to 3", "Upgrade Fairlead on this machine.")]
    [InlineData(400, """{"error":{"category":"Usage","code":"protocol-unsupported","message":"This Fairlead and the gateway do not understand each other","why":"it (0.1.0) speaks protocol 1, the gateway (0.0.1) 0 to 0","hint":"Have the gateway upgraded, or use an older Fairlead."}}""", "(0.0.1) 0 to 0", "Have the gateway upgraded")]
    [InlineData(200, """{"protocolVersion":7,"productVersion":"7.0.0","capabilities":[],"spaceName":"s","spaceUid":"u","subject":"invite:me","clusterDomain":"cluster.local","gatewayInstance":"g","endpoints":[]}""", "it chose version 7 (product 7.0.0), this is version 1 (product 0.1.0)", "Use the version of 'fairlead'")]
    public async Task Gateway_of_another_protocol_is_refused_with_both_versions_and_what_to_do(int status, string greeting, string versions, string advice)
    {
        var laptop = await NewLaptopAsync();
        await using var gateway = await StrangeGateway.StartAsync(
            Cluster, IPAddress.Parse(laptop.Gateway), await Cluster.InviteAsync($"user{laptop.Number}", "shop"), status, greeting);

        ShouldTell(await laptop.FairleadAsync("join", gateway.Token), 0);
        var state = await laptop.FairleadAsync("status");
        ShouldTell(state, 0);
        state.Output.ShouldContain("refused");
        ShouldTell(await laptop.FairleadAsync("consume", "shop/*"), 3);

        void ShouldTell(Outcome outcome, int exitCode)
        {
            outcome.ShouldFail(exitCode);
            (outcome.Output + outcome.Error).ShouldContain(versions);
            (outcome.Output + outcome.Error).ShouldContain(advice);
        }
    }

    /// <summary>The command line was upgraded, the daemon that runs was not; or the other way round.</summary>
    [Theory]
    [InlineData("""{"version":"9.0.0","pid":1,"started":"2026-01-01T00:00:00+00:00","capture":{"method":"sk_lookup","reason":null},"resolver":"hosts","currentSpace":null,"spaces":[],"novelty":1}""", 0)]
    [InlineData("""{"version":"9.0.0","process":1}""", 1)]
    public async Task Daemon_of_another_version_is_named_with_what_to_do(string answer, int exitCode)
    {
        var laptop = await NewLaptopAsync(start: false);
        await laptop.Host.WriteAsync("/run/answer", $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nFairlead-Version: 9.0.0\r\nContent-Length: {answer.Length}\r\nConnection: close\r\n\r\n{answer}");
        using var daemon = laptop.Host.Start("sh", "-c", "mkdir -p /run/fairlead && exec socat UNIX-LISTEN:/run/fairlead/daemon.sock,fork SYSTEM:'cat /run/answer; cat > /dev/null'");
        await Shell.EventuallyAsync("the daemon listens", async () => (await laptop.Host.RunAsync("test", "-S", "/run/fairlead/daemon.sock")).ExitCode == 0);
        var outcome = await laptop.FairleadAsync("status");
        outcome.ShouldFail(exitCode);
        var text = outcome.Output + outcome.Error;
        text.ShouldContain("9.0.0");
        text.ShouldContain("0.1.0");
        text.ShouldContain("sudo fairlead restart");
        daemon.Kill(entireProcessTree: true);
    }
}
