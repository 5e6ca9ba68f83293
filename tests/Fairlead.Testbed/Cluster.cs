using Fairlead.Testbed.Clusters;

namespace Fairlead.Testbed;

/// <summary>
/// A cluster with the shop and the gateway in it, and the machine that laptops are connected to. It is the embedded one, or with FAIRLEAD_E2E_KUBECONFIG
/// and FAIRLEAD_E2E_IMAGE (see docs/testing.md) one that is there already.
/// </summary>
public sealed class Cluster : IAsyncDisposable
{
    /// <summary>An admin's, on <see cref="Host"/>.</summary>
    public const string Kubeconfig = "/etc/cluster.kubeconfig";

    /// <summary>What has this label is the tests' own, and theirs to remove.</summary>
    public const string OwnLabel = "fairlead.dev/end-to-end=true";

    /// <summary><see cref="OwnLabel"/> in a YAML flow mapping.</summary>
    public const string OwnLabelYaml = "fairlead.dev/end-to-end: \"true\"";

    /// <summary>A node may have to pull an image first.</summary>
    private static readonly TimeSpan RolloutLimit = TimeSpan.FromMinutes(3);

    private readonly IClusterProvider _provider;
    private int _laptops;

    private Cluster(Host host, IClusterProvider provider)
    {
        Host = host;
        _provider = provider;
    }

    /// <summary>The machine that leads to the cluster (the embedded one runs there); laptops are connected to it by cables.</summary>
    public Host Host { get; }

    /// <summary>A node's address, as laptops see it; NodePorts answer there.</summary>
    public string NodeAddress => _provider.NodeAddresses[0];

    /// <summary>Every node's.</summary>
    public IReadOnlyList<string> NodeAddresses => _provider.NodeAddresses;

    /// <summary>The API server's address and port, as laptops see them.</summary>
    public (string Address, int Port) ApiServer => _provider.ApiServer;

    public static async Task<Cluster> CreateAsync()
    {
        var cluster = new Cluster(await Host.CreateAsync("world"), Provider());
        try
        {
            await cluster._provider.BringUpAsync(cluster.Host);
            await cluster.InstallGatewayAsync();
            await cluster._provider.ExposeGatewayAsync(cluster.Host);
            await cluster._provider.AwaitShopAsync(cluster.Host);
            return cluster;
        }
        catch
        {
            await cluster.PrintLogsAsync();
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>As <see cref="CreateAsync"/> does: for tests that uninstalled it.</summary>
    public async Task InstallGatewayAsync()
    {
        string[] image = _provider.GatewayImage is { } name ? ["--set", Programs.ImageValues(name)] : [];
        (await FairleadAsync(["gateway", "install", "--kubeconfig", Kubeconfig, "--set", "agents.namespaces={shop}", .. image], TimeSpan.FromSeconds(200))).ShouldSucceed();
    }

    /// <summary>Why the cluster has no such thing; null when it has.</summary>
    public string? WhyWithout(ClusterFeature feature) => _provider.WhyWithout(feature);

    /// <summary>An image with python3.</summary>
    public string PythonImage => _provider.PythonImage;

    /// <summary>Image and command of a container that plays one of the shop's roles, as a YAML flow fragment.</summary>
    public string ShopContainer(params string[] role) =>
        $"image: \"{_provider.ShopImage}\", imagePullPolicy: IfNotPresent, command: [/opt/shop/fairlead-shop, {string.Join(", ", role.Select(word => $"\"{word}\""))}]";

    public async Task PrintLogsAsync()
    {
        Console.Error.WriteLine("--- gateway");
        Console.Error.WriteLine((await KubectlAsync("logs", "-n", "fairlead", "deploy/fairlead-gateway", "--tail=100")).Output);
        Console.Error.WriteLine("--- pods");
        Console.Error.WriteLine((await KubectlAsync("get", "pods", "-A", "-o", "wide")).Output);
        Console.Error.WriteLine((await Host.ShellAsync($$"""
            k="kubectl --kubeconfig {{Kubeconfig}}"
            $k get pods -n shop --no-headers | awk '$2 != "1/1" { print $1 }' | while read pod; do
              echo "--- $pod"; $k logs -n shop --tail=40 $pod; $k logs -n shop --previous --tail=40 $pod; $k describe pod -n shop $pod | tail -n 20
            done
            """)).Output);
    }

    public Task<Outcome> FairleadAsync(IReadOnlyList<string> arguments, TimeSpan? limit = null) => Host.RunAsync([Programs.Fairlead, .. arguments], limit: limit);

    public Task<Outcome> KubectlAsync(params string[] arguments) => Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, .. arguments]);

    public async Task ApplyAsync(string yaml) =>
        (await Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, "apply", "-f", "-"], yaml)).ShouldSucceed();

    /// <summary>A namespace of a test's own. Fails where there is one by that name.</summary>
    public async Task CreateNamespaceAsync(string name) =>
        (await Host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, "create", "-f", "-"], NamespaceYaml(name, "baseline"))).ShouldSucceed();

    /// <summary>Removes a namespace with all that is in it, if it is a test's.</summary>
    public async Task RemoveNamespaceAsync(string name) => (await Host.RunAsync(
        ["kubectl", "--kubeconfig", Kubeconfig, "delete", "namespace", "-l", OwnLabel, "--field-selector", $"metadata.name={name}", $"--timeout={RolloutLimit.TotalSeconds}s"], limit: RolloutLimit + TimeSpan.FromSeconds(20))).ShouldSucceed();

    /// <summary>Returns once all pods of a workload, such as <c>deploy/NAME</c>, are those that it asks for, and are ready.</summary>
    public async Task AwaitRolloutAsync(string ns, string workload)
    {
        var outcome = await Host.RunAsync(
            ["kubectl", "--kubeconfig", Kubeconfig, "rollout", "status", "-n", ns, workload, $"--timeout={RolloutLimit.TotalSeconds}s"], limit: RolloutLimit + TimeSpan.FromSeconds(20));
        if (outcome.ExitCode != 0)
        {
            Console.Error.WriteLine($"--- events of {ns}");
            Console.Error.WriteLine((await KubectlAsync("get", "events", "-n", ns, "--sort-by=.lastTimestamp")).Output);
        }

        outcome.ShouldSucceed();
    }

    public async Task<string> InviteAsync(string user, string namespaces, params string[] more) =>
        (await FairleadAsync(["space", "invite", user, "--namespaces", namespaces, "--kubeconfig", Kubeconfig, "-o", "json", .. more])).Text
            is var json ? System.Text.Json.JsonDocument.Parse(json).RootElement.GetProperty("token").GetString()! : "";

    /// <summary>A new laptop with a cable to the cluster's host and a running daemon.</summary>
    public async Task<Laptop> NewLaptopAsync(bool bindMountedHosts = false, bool start = true)
    {
        var number = Interlocked.Increment(ref _laptops);
        var laptop = new Laptop(await Host.CreateAsync($"laptop{number}", bindMountedHosts), number);
        try
        {
            await Host.ConnectAsync(laptop.Host, number);
            if (start)
            {
                await laptop.StartAsync();
            }

            return laptop;
        }
        catch
        {
            await laptop.DisposeAsync();
            throw;
        }
    }

    /// <summary>A laptop whose user, invited for <paramref name="namespaces"/>, has joined.</summary>
    public async Task<Laptop> NewMemberAsync(string namespaces = "shop", bool bindMountedHosts = false)
    {
        var laptop = await NewLaptopAsync(bindMountedHosts);
        try
        {
            await JoinAsync(laptop, namespaces);
            return laptop;
        }
        catch
        {
            await laptop.PrintLogsAsync();
            await laptop.DisposeAsync();
            throw;
        }
    }

    /// <summary>Invites a user of the laptop's own for <paramref name="namespaces"/> and joins.</summary>
    public async Task JoinAsync(Laptop laptop, string namespaces)
    {
        laptop.User = $"user{laptop.Number}";
        (await laptop.FairleadAsync("join", await InviteAsync(laptop.User, namespaces))).ShouldSucceed();
    }

    /// <summary>From now on whatever comes to the API server's port, on connections that are open too, is answered with a reset.</summary>
    public async Task CutApiServerAsync() => (await Host.RunAsync(
        "nft", $"add table ip apicut; add chain ip apicut in {{ type filter hook input priority 0; }}; add rule ip apicut in ip daddr {ApiServer.Address} tcp dport {ApiServer.Port} reject with tcp reset")).ShouldSucceed();

    public async Task RestoreApiServerAsync() => (await Host.RunAsync("nft", "delete", "table", "ip", "apicut")).ShouldSucceed();

    public async ValueTask DisposeAsync()
    {
        await _provider.TakeDownAsync(Host);
        await Host.DisposeAsync();
    }

    /// <param name="level">Of Pod Security, whatever the cluster has for namespaces that say nothing.</param>
    internal static string NamespaceYaml(string name, string level) => $$"""
        apiVersion: v1
        kind: Namespace
        metadata:
          name: {{name}}
          labels: { {{OwnLabelYaml}}, pod-security.kubernetes.io/enforce: {{level}} }
        """;

    private static IClusterProvider Provider()
    {
        if (Environment.GetEnvironmentVariable("FAIRLEAD_E2E_KUBECONFIG") is not { Length: > 0 } kubeconfig)
        {
            return new EmbeddedCluster();
        }

        return Environment.GetEnvironmentVariable("FAIRLEAD_E2E_IMAGE") is { Length: > 0 } image
            ? new GivenCluster(kubeconfig, image)
            : throw new InvalidOperationException("FAIRLEAD_E2E_KUBECONFIG takes FAIRLEAD_E2E_IMAGE with it: the image, by a name that the cluster's nodes can pull or have");
    }
}
