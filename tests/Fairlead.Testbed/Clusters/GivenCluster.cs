using System.Net;
using System.Text.Json.Nodes;

namespace Fairlead.Testbed.Clusters;

/// <summary>
/// The cluster of FAIRLEAD_E2E_KUBECONFIG, reached from this machine. The hosts of a test are in namespaces that lead nowhere else: the API
/// server's address and the nodes' are made local to <c>world</c>, and this process relays what comes there. Nothing of this machine is changed.
/// </summary>
internal sealed class GivenCluster(string kubeconfig, string image) : IClusterProvider, IAsyncDisposable
{
    /// <summary>Namespaces with this label are the tests' own, and theirs to remove.</summary>
    private const string Label = "fairlead.dev/end-to-end=true";

    /// <summary>What stands for an API server that the kubeconfig names by a name or on loopback (RFC 5737).</summary>
    private const string ApiStandIn = "192.0.2.1";

    private static readonly string[] _namespaces = ["fairlead", "shop"];

    private readonly List<Relay> _relays = [];
    private readonly Dictionary<ClusterFeature, string> _lacks = [];

    public string? GatewayImage => image;

    public string ShopImage => image;

    public string PythonImage => "python:3";

    public IReadOnlyList<string> NodeAddresses { get; private set; } = [];

    public (string Address, int Port) ApiServer { get; private set; }

    public string? WhyWithout(ClusterFeature feature) => _lacks.GetValueOrDefault(feature);

    public async Task BringUpAsync(Host world)
    {
        await ReachApiServerAsync(world);
        foreach (var name in _namespaces)
        {
            await TakeNamespaceAsync(world, name);
        }

        foreach (var file in Directory.GetFiles(Path.Combine(Programs.Root, "samples/shop/manifests"), "*.yaml").Order(StringComparer.Ordinal))
        {
            // The shop has no image of its own on a cluster: its program comes with the gateway's.
            var yaml = (await File.ReadAllTextAsync(file)).Replace("image: fairlead/shop:dev\n", $"image: {image}\n          command: [/opt/shop/fairlead-shop]\n");
            (await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "apply", "-f", "-"], yaml)).ShouldSucceed();
        }

        // Nobody asks it anything: that it runs tells that the image can be had.
        (await KubectlAsync(world, "create", "deployment", "python", "-n", "shop", "--image", PythonImage, "--", "python3", "-c", "import signal; signal.pause()")).ShouldSucceed();
    }

    public async Task ExposeGatewayAsync(Host world)
    {
        var nodes = (await KubectlAsync(world, "get", "nodes", "-o", "jsonpath={.items[*].status.addresses[?(@.type=='InternalIP')].address}")).Text
            .Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse).Where(a => a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork).ToArray();
        var ports = (await KubectlAsync(world, "get", "service", "fairlead-gateway", "-n", "fairlead", "-o", "jsonpath={.spec.ports[*].nodePort}")).Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        NodeAddresses = [.. nodes.Select(n => n.ToString())];
        foreach (var node in nodes)
        {
            foreach (var port in ports)
            {
                var target = new IPEndPoint(node, int.Parse(port, System.Globalization.CultureInfo.InvariantCulture));
                await RelayAsync(world, target, target);
            }
        }
    }

    public async Task AwaitShopAsync(Host world)
    {
        (string Workload, ClusterFeature Feature, string Image)[] pulled =
        [
            ("statefulset/postgres", ClusterFeature.Postgres, "postgres:15"),
            ("deployment/redis", ClusterFeature.Redis, "redis:7"),
            ("deployment/python", ClusterFeature.Python, PythonImage),
        ];
        foreach (var (workload, feature, name) in pulled)
        {
            if ((await RolloutAsync(world, workload, 60)).ExitCode != 0)
            {
                _lacks[feature] = $"the cluster has no image {name}, or can't run it";
            }
        }

        foreach (var workload in new[] { "frontend", "stock", "quotes", "echo" })
        {
            (await RolloutAsync(world, $"deployment/{workload}", 60)).ShouldSucceed();
        }
    }

    public async Task TakeDownAsync(Host world)
    {
        var installed = await world.RunAsync([Programs.Fairlead, "gateway", "install", "--dry-run", "--set", Programs.ImageValues(image)]);
        if (installed.ExitCode == 0)
        {
            await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "delete", "--ignore-not-found", "--wait=false", "-f", "-"], installed.Output);
        }

        await KubectlAsync(world, "delete", "namespace", "-l", Label, "--ignore-not-found", "--wait=false");
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var relay in _relays)
        {
            await relay.DisposeAsync();
        }

        _relays.Clear();
    }

    /// <summary>The kubeconfig's current context alone, with everything that it refers to inside, and a way to its API server.</summary>
    private async Task ReachApiServerAsync(Host world)
    {
        var config = JsonNode.Parse((await Shell.RunAsync(["kubectl", "--kubeconfig", kubeconfig, "config", "view", "--raw", "--flatten", "--minify", "-o", "json"])).Text)!;
        var cluster = config["clusters"]![0]!["cluster"]!;
        var server = new Uri(cluster["server"]!.GetValue<string>());
        var host = server.Host.Trim('[', ']');
        var target = (await Dns.GetHostAddressesAsync(host))[0];
        var local = IPAddress.TryParse(host, out var literal) && !IPAddress.IsLoopback(literal) ? literal : IPAddress.Parse(ApiStandIn);
        if (!local.Equals(literal))
        {
            cluster["server"] = $"https://{local}:{server.Port}";
            cluster["tls-server-name"] ??= host;
        }

        await world.WriteAsync(Cluster.Kubeconfig, config.ToJsonString());
        await RelayAsync(world, new IPEndPoint(local, server.Port), new IPEndPoint(target, server.Port));
        ApiServer = (local.ToString(), server.Port);
        (await KubectlAsync(world, "get", "--raw", "/readyz")).ShouldSucceed();
    }

    private async Task RelayAsync(Host world, IPEndPoint local, IPEndPoint target)
    {
        (await world.RunAsync("ip", "address", "replace", $"{local.Address}/32", "dev", "lo")).ShouldSucceed();
        _relays.Add(Relay.OutOf(world, local, target));
    }

    /// <summary>What an earlier run left goes; what somebody else made stays, and then there is nothing to test.</summary>
    private static async Task TakeNamespaceAsync(Host world, string name)
    {
        var ours = (await KubectlAsync(world, "get", "namespace", "-l", Label, "-o", "name")).Text.Split('\n').Contains($"namespace/{name}");
        if (ours)
        {
            (await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "delete", "namespace", name, "--timeout=120s"], limit: TimeSpan.FromSeconds(130))).ShouldSucceed();
        }
        else if ((await KubectlAsync(world, "get", "namespace", name)).ExitCode == 0)
        {
            throw new InvalidOperationException($"the cluster has a namespace {name} that these tests did not make: they would change what is in it; remove it, or label it {Label}");
        }

        (await KubectlAsync(world, "create", "namespace", name)).ShouldSucceed();
        (await KubectlAsync(world, "label", "namespace", name, Label)).ShouldSucceed();
    }

    private static Task<Outcome> RolloutAsync(Host world, string workload, int seconds) => world.RunAsync(
        ["kubectl", "--kubeconfig", Cluster.Kubeconfig, "rollout", "status", "-n", "shop", workload, $"--timeout={seconds}s"], limit: TimeSpan.FromSeconds(seconds + 10));

    private static Task<Outcome> KubectlAsync(Host world, params string[] arguments) => world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, .. arguments]);
}
