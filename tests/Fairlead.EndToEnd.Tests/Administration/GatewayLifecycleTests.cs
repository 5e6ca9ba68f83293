using System.Text.Json;
using Fairlead.EndToEnd.Tests.Sandbox;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Administration;

/// <summary>Install, upgrade and uninstall on an otherwise empty cluster, and what gets in their way there.</summary>
public sealed class GatewayLifecycleTests(OwnSandbox sandbox) : IClassFixture<OwnSandbox>, IAsyncLifetime
{
    private const string Kubeconfig = "/var/lib/fairlead-sandbox/kubeconfig";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    private string before = "";

    public async ValueTask InitializeAsync() => before = await ObjectsAsync();

    /// <summary>Every test ends as it began.</summary>
    public async ValueTask DisposeAsync()
    {
        (await GatewayAsync("uninstall", "--yes")).ShouldSucceed();
        (await ObjectsAsync()).ShouldBe(before, "an uninstall leaves nothing");
    }

    [Fact]
    public async Task Install_is_repeatable_upgrade_keeps_what_was_set_and_removes_what_is_no_longer_asked_for()
    {
        var installed = (await GatewayAsync("install", "--set", "spaceName=team,replicas=1")).ShouldSucceed();
        installed.Output.ShouldContain("Space       team");
        installed.Error.ShouldContain("next: fairlead space invite");
        var generation = await GenerationAsync();
        (await GatewayAsync("install")).ShouldSucceed().Output.ShouldContain("Space       team");
        (await GenerationAsync()).ShouldBe(generation, "a repeated install changes nothing");

        (await GatewayAsync("upgrade", "--set", "ingress.enabled=true,ingress.host=in.example.com", "--set", "networkPolicy.enabled=true")).ShouldSucceed();
        (await sandbox.KubectlAsync("get", "ingress,networkpolicy", "-n", "fairlead", "-o", "name")).Text.Split('\n').Length.ShouldBe(2);
        var status = JsonDocument.Parse((await GatewayAsync("status", "-o", "json")).ShouldSucceed().Output).RootElement;
        status.GetProperty("spaceName").GetString().ShouldBe("team");
        status.GetProperty("endpoints").EnumerateArray().Select(e => e.GetString()).ShouldContain("in.example.com:443:0");
        status.GetProperty("pods").EnumerateArray().Last().GetProperty("version").GetString().ShouldNotBeNullOrEmpty();

        (await GatewayAsync("upgrade", "--set", "ingress.enabled=null,networkPolicy=null")).ShouldSucceed();
        (await sandbox.KubectlAsync("get", "ingress,networkpolicy", "-n", "fairlead", "-o", "name")).Text.ShouldBeEmpty();
        (await GatewayAsync("upgrade", "--reset-values", "--no-wait")).ShouldSucceed();
        (await sandbox.KubectlAsync("get", "deployment", "fairlead-gateway", "-n", "fairlead", "-o", "jsonpath={.spec.replicas}")).Text.ShouldBe("2");
    }

    [Fact]
    public async Task Install_that_was_killed_is_completed_by_the_next()
    {
        foreach (var seconds in new[] { "0.6", "0.9", "1.2" })
        {
            await sandbox.Host.ShellAsync($"timeout -s KILL {seconds} {Programs.Fairlead} gateway install --kubeconfig {Kubeconfig} --set replicas=1");
        }

        (await GatewayAsync("install", "--set", "replicas=1")).ShouldSucceed().Output.ShouldContain("Ready       1 of 1");
        await sandbox.Host.ShellAsync($"timeout -s KILL 0.8 {Programs.Fairlead} gateway uninstall --yes --kubeconfig {Kubeconfig}");
    }

    [Fact]
    public async Task Install_survives_an_API_server_that_drops_connections_for_10_s()
    {
        // Once it has been answered and has begun to write: a cluster that never answered is told at once.
        var cut = sandbox.Host.ShellAsync($$"""
            for i in $(seq 600); do kubectl --kubeconfig {{Kubeconfig}} get namespace fairlead >/dev/null 2>&1 && break; sleep 0.1; done
            nft add table inet sbapi_cut
            nft add chain inet sbapi_cut out '{ type filter hook output priority 0; }'
            nft add rule inet sbapi_cut out tcp dport 6443 reject with tcp reset
            sleep 10
            nft delete table inet sbapi_cut
            """, Limit);
        var outcome = await GatewayAsync("install", "--set", "replicas=1");
        await cut;
        outcome.ShouldSucceed();
        outcome.Error.ShouldContain("the API server does not answer, trying again");
        outcome.Error.ShouldContain("the API server answers again");
    }

    [Fact]
    public async Task Image_that_is_not_to_be_had_is_named_with_what_to_do()
    {
        var outcome = await GatewayAsync("install", "--set", "image.repository=nowhere.example/none,replicas=1", "--timeout", "15s");
        outcome.ExitCode.ShouldBeOneOf(1, 6);
        outcome.Error.ShouldContain("nowhere.example/none");
        outcome.Error.ShouldContain("--set image.repository");
        var status = await GatewayAsync("status");
        status.ShouldFail(1);
        status.Error.ShouldContain("nowhere.example/none");
    }

    [Fact]
    public async Task Pod_that_finds_no_node_is_named_with_the_clusters_reason()
    {
        var outcome = await GatewayAsync("install", "--set", "replicas=1,nodeSelector.disk=none", "--timeout", "8s");
        outcome.ShouldFail(6);
        outcome.Error.ShouldMatch("pod fairlead-gateway-[a-z0-9-]+ finds no node: 0/1 nodes are available");
        outcome.Error.ShouldContain("nodeSelector");
        (await GatewayAsync("upgrade", "--set", "nodeSelector=null")).ShouldSucceed().Output.ShouldContain("Ready       1 of 1");
    }

    [Fact]
    public async Task Container_that_ends_is_told_with_its_last_lines()
    {
        (await GatewayAsync("install", "--no-wait", "--set", "replicas=1")).ShouldSucceed();
        (await sandbox.KubectlAsync("set", "env", "deployment/fairlead-gateway", "-n", "fairlead", "FAIRLEAD_DRAIN_SECONDS=x")).ShouldSucceed();
        await Shell.EventuallyAsync("status has the gateway's last words", async () => (await GatewayAsync("status")).Error.Contains("FAIRLEAD_DRAIN_SECONDS 'x' is not a number"), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Second_install_in_another_namespace_is_a_conflict_until_the_first_is_gone()
    {
        (await GatewayAsync("install", "--no-wait", "--set", "replicas=1")).ShouldSucceed();
        foreach (var verb in new[] { "install", "uninstall" })
        {
            var conflict = await GatewayAsync(verb, "-n", "elsewhere");
            conflict.ShouldFail(5);
            conflict.Error.ShouldContain("-n fairlead");
        }

        // Half of it gone: the rest is a leftover, which the other takes over.
        (await sandbox.KubectlAsync("delete", "namespace", "fairlead")).ShouldSucceed();
        (await GatewayAsync("install", "-n", "elsewhere", "--set", "replicas=1")).ShouldSucceed().Output.ShouldContain("Namespace   elsewhere");
        (await sandbox.FairleadAsync("space", "invite", "alice", "--namespaces", "shop", "--kubeconfig", Kubeconfig, "-n", "elsewhere")).ShouldSucceed();
        (await sandbox.KubectlAsync("get", "grants", "-n", "elsewhere", "--no-headers")).Text.ShouldMatch(@"^invite-alice\s+invite:alice\s+shop\s");
        (await GatewayAsync("uninstall", "-n", "elsewhere")).ShouldSucceed();
    }

    [Fact]
    public async Task Namespace_that_was_there_before_stays_and_nothing_of_the_gateway_in_it()
    {
        await sandbox.NamespaceAsync("tools");
        (await sandbox.KubectlAsync("create", "configmap", "theirs", "-n", "tools")).ShouldSucceed();
        var then = await ObjectsAsync();
        (await GatewayAsync("install", "-n", "tools", "--set", "replicas=1")).ShouldSucceed();
        (await sandbox.FairleadAsync("space", "invite", "alice", "--namespaces", "shop", "--kubeconfig", Kubeconfig, "-n", "tools")).ShouldSucceed();
        (await GatewayAsync("uninstall", "-n", "tools")).ShouldSucceed();
        await Shell.EventuallyAsync("pods have ended", async () => await ObjectsAsync() == then);
        (await sandbox.KubectlAsync("delete", "namespace", "tools")).ShouldSucceed();
    }

    [Fact]
    public async Task Namespace_that_does_not_end_is_named_with_what_holds_it()
    {
        await sandbox.ApplyAsync("""
            apiVersion: v1
            kind: Namespace
            metadata: {name: fairlead}
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: held, namespace: fairlead, finalizers: [example.com/never]}
            """);
        (await sandbox.KubectlAsync("delete", "namespace", "fairlead", "--wait=false")).ShouldSucceed();
        var outcome = await GatewayAsync("install", "--timeout", "3s");
        outcome.ShouldFail(6);
        outcome.Error.ShouldContain("The namespace fairlead is being deleted and does not end");
        (await sandbox.KubectlAsync("patch", "configmap", "held", "-n", "fairlead", "--type=merge", "-p", """{"metadata":{"finalizers":null}}""")).ShouldSucceed();
        await Shell.EventuallyAsync("the namespace ends", async () => (await sandbox.KubectlAsync("get", "namespace", "fairlead")).ExitCode != 0);
    }

    [Fact]
    public async Task Missing_rights_are_named_verb_by_verb_before_anything_is_changed()
    {
        (await sandbox.KubectlAsync("create", "serviceaccount", "weak", "-n", "default")).ShouldSucceed();
        try
        {
            var token = (await sandbox.KubectlAsync("create", "token", "weak", "-n", "default")).ShouldSucceed().Text;
            (await sandbox.Host.ShellAsync($"cp {Kubeconfig} /tmp/weak && kubectl --kubeconfig /tmp/weak config set-credentials weak --token={token} && kubectl --kubeconfig /tmp/weak config set-context --current --user=weak")).ShouldSucceed();
            var then = await ObjectsAsync();
            var outcome = await sandbox.FairleadAsync("gateway", "install", "--kubeconfig", "/tmp/weak");
            outcome.ShouldFail(4);
            outcome.Error.ShouldContain("get, create, patch clusterroles.rbac.authorization.k8s.io");
            outcome.Error.ShouldContain("get, create, patch deployments.apps in namespace fairlead");
            outcome.Error.ShouldContain("cluster-admin");
            (await ObjectsAsync()).ShouldBe(then);

            (await sandbox.Host.ShellAsync("kubectl --kubeconfig /tmp/weak config set-credentials weak --token=expired")).ShouldSucceed();
            var expired = await sandbox.FairleadAsync("gateway", "install", "--kubeconfig", "/tmp/weak");
            expired.ShouldFail(4);
            expired.Error.ShouldContain("Log in to the cluster");
        }
        finally
        {
            await sandbox.KubectlAsync("delete", "serviceaccount", "weak", "-n", "default");
        }
    }

    [Fact]
    public async Task Context_that_there_is_none_of_is_named_with_those_there_are()
    {
        var outcome = await GatewayAsync("install", "--context", "production");
        outcome.ShouldFail(3);
        outcome.Error.ShouldContain("production");
        outcome.Error.ShouldContain("It has ");
    }

    private Task<Outcome> GatewayAsync(string verb, params string[] more) => sandbox.Host.RunAsync([Programs.Fairlead, "gateway", verb, "--kubeconfig", Kubeconfig, .. more], limit: Limit);

    private async Task<string> GenerationAsync() => (await sandbox.KubectlAsync("get", "deployment", "fairlead-gateway", "-n", "fairlead", "-o", "jsonpath={.metadata.generation}")).Text;

    /// <summary>The names of all there is in the cluster, but for what happened.</summary>
    private async Task<string> ObjectsAsync() => (await sandbox.Host.ShellAsync($"""
        k="kubectl --kubeconfig {Kubeconfig}"
        for kind in $($k api-resources --verbs=list -o name | grep -v '^events'); do
          $k get $kind -A --no-headers -o custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name 2>/dev/null
        done | sort
        """, Limit)).ShouldSucceed().Output;
}
