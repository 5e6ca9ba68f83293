using System.Diagnostics;
using Fairlead.Contracts.Gateway;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Consume;

/// <summary>Who may reach what: nothing without a grant, and nothing through a service that the grant did not mean.</summary>
public sealed class AccessTests(SharedCluster cluster) : ClusterTest(cluster)
{
    [Fact]
    public async Task Service_that_points_elsewhere_is_refused()
    {
        var pod = (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", "app.kubernetes.io/name=frontend", "-o", "jsonpath={.items[0].status.podIP}")).Text;
        var api = (await Cluster.KubectlAsync("get", "endpointslice", "kubernetes", "-n", "default", "-o", "jsonpath={.endpoints[0].addresses[0]}")).Text;
        // An API server takes no special addresses in a slice, but any name, also one that is such an address.
        (string Name, string Address)[] aliases = [("metadata", "169.254.169.254"), ("loopback", "127.0.0.1")];
        (string Name, string Address, int Port)[] slices = [("api", api, Cluster.ApiServer.Port), ("node", Cluster.NodeAddress, 30443), ("other-namespace", pod, 8080)];
        await Cluster.CreateNamespaceAsync("tricky");
        try
        {
            await Cluster.ApplyAsync(string.Concat(aliases.Select(t => $$"""
                ---
                apiVersion: v1
                kind: Service
                metadata: { name: {{t.Name}}, namespace: tricky }
                spec: { type: ExternalName, externalName: {{t.Address}}, ports: [ { port: 80 } ] }

                """)) + string.Concat(slices.Select(t => $$"""
                ---
                apiVersion: v1
                kind: Service
                metadata: { name: {{t.Name}}, namespace: tricky }
                spec: { ports: [ { port: 80, targetPort: {{t.Port}} } ] }
                ---
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: { name: {{t.Name}}-1, namespace: tricky, labels: { kubernetes.io/service-name: {{t.Name}} } }
                addressType: IPv4
                ports: [ { port: {{t.Port}}, protocol: TCP } ]
                endpoints: [ { addresses: [ {{t.Address}} ], conditions: { ready: true } } ]

                """)));
            var laptop = await NewMemberAsync("tricky");
            await laptop.ConsumeAsync("tricky/*");
            foreach (var name in aliases.Select(a => a.Name).Concat(slices.Select(s => s.Name)))
            {
                (await laptop.CurlAsync($"http://{name}.tricky/")).ExitCode.ShouldBeOneOf(Laptop.CurlWithoutAnswer);
            }

            var logs = (await laptop.FairleadAsync("logs")).Output;
            logs.ShouldContain("metadata.tricky");
        }
        finally
        {
            await Cluster.RemoveNamespaceAsync("tricky");
        }
    }

    [Fact]
    public async Task Revocation_ends_live_flows_at_once()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/echo");
        using var held = laptop.Host.Start("bash", "-c", "exec 3<>/dev/tcp/echo.shop/7; echo open >&3; cat <&3; echo closed");
        (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("open");

        (await Cluster.FairleadAsync(["space", "revoke", laptop.User, "--kubeconfig", Cluster.Kubeconfig])).ShouldSucceed();
        var clock = Stopwatch.StartNew();
        (await held.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe("closed");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5), "it is told, not noticed by the next heartbeat");

        (await laptop.Host.ShellAsync("exec 3<>/dev/tcp/echo.shop/7; echo again >&3; timeout 5 head -n 1 <&3")).Output.ShouldNotContain("again");
        await Shell.EventuallyAsync("status tells why", async () => (await laptop.FairleadAsync("status")).Output.Contains("revoked", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Token_works_once()
    {
        var token = await Cluster.InviteAsync("once", "shop");
        var first = await NewLaptopAsync();
        (await first.FairleadWithInputAsync(token + "\n", "join", "-")).ShouldSucceed();
        var second = await NewLaptopAsync();
        var refused = await second.FairleadAsync("join", token);
        refused.ShouldFail(4);
        refused.Error.ShouldContain("used", Case.Insensitive);
    }

    [Fact]
    public async Task Broken_tokens_are_told_apart()
    {
        var laptop = await NewLaptopAsync();
        var token = await Cluster.InviteAsync("broken", "shop");
        var truncated = await laptop.FairleadAsync("join", token[..^20]);
        truncated.ShouldFail(2);
        truncated.Error.ShouldContain("incomplete");
        (await laptop.FairleadAsync("join", "nonsense")).ShouldFail(2).Error.ShouldContain("join token");
        (await laptop.FairleadWithInputAsync("", "join", "-")).ShouldFail(2).Error.ShouldContain("empty");

        var expired = await Cluster.InviteAsync("late", "shop", "--expires", "1s");
        await Task.Delay(1500);
        (await laptop.FairleadAsync("join", expired)).ShouldFail(4).Error.ShouldContain("expired");
    }

    /// <summary>As when the laptop slept for longer than certificates live.</summary>
    [Fact]
    public async Task Certificate_that_expired_is_renewed_as_long_as_a_grant_names_its_owner()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        await ExpireAsync(laptop);
        await laptop.StartAsync();
        await Shell.EventuallyAsync("the rules are in force again", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0);

        await ExpireAsync(laptop);
        (await Cluster.KubectlAsync("delete", "grant", "-n", "fairlead", $"invite-{laptop.User}")).ShouldSucceed();
        await laptop.StartAsync();
        await Shell.EventuallyAsync("status tells it", async () => (await laptop.FairleadAsync("status")).Text is var status
            && status.Contains("refused") && status.Contains("has expired") && status.Contains("no Grant names") && status.Contains("new token, then 'fairlead join'"));
        (await laptop.FairleadAsync("doctor")).ShouldFail(1).Output.ShouldContain("It expired at");
        (await laptop.CurlAsync("http://frontend.shop/")).ExitCode.ShouldNotBe(0);

        await Cluster.JoinAsync(laptop, "shop");
        await Shell.EventuallyAsync("joined again, the rules are in force again", async () => (await laptop.CurlAsync("http://frontend.shop/")).ExitCode == 0);
    }

    /// <summary>Stops the daemon; the next one finds a certificate that ran out a minute ago.</summary>
    private async Task ExpireAsync(Laptop laptop)
    {
        (await laptop.FairleadAsync("stop")).ShouldSucceed();
        using var authority = await SpaceAuthority.LoadAsync(Cluster);
        await authority.ExpireAsync(laptop, "/var/lib/fairlead");
    }

    [Fact]
    public async Task Gateway_with_another_authority_than_the_tokens_is_not_trusted()
    {
        var laptop = await NewLaptopAsync();
        var token = JoinToken.Parse(await Cluster.InviteAsync("stranger", "shop")) with { AuthoritySha256 = new string('0', 64) };
        var refused = (await laptop.FairleadAsync("join", token.Encode())).ShouldFail(3);
        refused.Error.ShouldContain("its CA does not have the fingerprint of the token");
        refused.Error.ShouldContain("Ask for a new token");
    }

    [Fact]
    public async Task Garbage_on_every_listener_disturbs_nobody()
    {
        var laptop = await NewMemberAsync();
        await laptop.ConsumeAsync("shop/frontend");
        foreach (var target in new[] { $"/dev/tcp/{Cluster.NodeAddress}/30443", $"/dev/tcp/{Cluster.NodeAddress}/30444", $"/dev/tcp/{Cluster.ApiServer.Address}/{Cluster.ApiServer.Port}" })
        {
            await laptop.Host.ShellAsync($"for i in 1 2 3 4 5; do timeout 2 bash -c 'head -c 100000 /dev/urandom > {target}'; timeout 2 bash -c 'printf \"GET / HTTP/1.1\\r\\n\\r\\n\" > {target}'; done");
        }

        await laptop.Host.ShellAsync("head -c 100000 /dev/urandom | timeout 2 socat - UNIX-CONNECT:/run/fairlead/daemon.sock");
        (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();
        (await laptop.FairleadAsync("status")).ShouldSucceed();
    }
}
