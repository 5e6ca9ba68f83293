using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;

namespace Fairlead.Testbed.Clusters;

/// <summary>
/// The cluster of FAIRLEAD_E2E_KUBECONFIG, reached from this machine. The hosts of a test are in namespaces that lead nowhere else: the API
/// server's address and those by which the gateway is reached are made local to <c>world</c>, and this process relays what comes there. Nothing of
/// this machine is changed, and nothing of the cluster before it is known that nobody else's is in the way.
/// </summary>
internal sealed class GivenCluster(string kubeconfig, string image) : IClusterProvider
{
    /// <summary>What stands for an API server that the kubeconfig names by a name, on loopback or by an IPv6 address (RFC 5737).</summary>
    private const string ApiStandIn = "192.0.2.1";

    /// <summary>Certificates are good from five minutes before they are issued.</summary>
    private static readonly TimeSpan MostClockDifference = TimeSpan.FromMinutes(1);

    private readonly List<Relay> _relays = [];
    private readonly Dictionary<ClusterFeature, string> _lacks = new()
    {
        [ClusterFeature.PodLinks] = "the nodes are somebody's: the test gives pods addresses that the cluster doesn't",
    };
    private GatewayWays? _ways;
    private bool _taken;

    public string? GatewayImage => image;

    public string ShopImage => image;

    public string PythonImage => "python:3";

    public IReadOnlyList<string> NodeAddresses { get; private set; } = [];

    public (string Address, int Port) ApiServer { get; private set; }

    public string? WhyWithout(ClusterFeature feature) => _lacks.GetValueOrDefault(feature);

    public async Task BringUpAsync(Host world)
    {
        await ReachApiServerAsync(world);
        await RequireFreeAsync(world);
        _taken = true;
        foreach (var removed in await RemoveOursAsync(world))
        {
            removed.ShouldSucceed();
        }

        // What the product asks of a namespace that it is installed into is no more than the strictest policy allows; the shop's databases ask for more.
        await CreateNamespaceAsync(world, "fairlead", "restricted");
        await CreateNamespaceAsync(world, "shop", "baseline");
        foreach (var file in Directory.GetFiles(Path.Combine(Programs.Root, "samples/shop/manifests"), "*.yaml").Order(StringComparer.Ordinal))
        {
            foreach (var value in Yaml.Parse(await File.ReadAllTextAsync(file)).Where(o => o["kind"]!.GetValue<string>() != "Namespace"))
            {
                (await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "apply", "-f", "-"], ShopWorkload.For(value, image).ToJsonString())).ShouldSucceed();
            }
        }

        // Nobody asks it anything: that it runs tells that the image can be had.
        (await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "create", "-f", "-"], $$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: python, namespace: shop }
            spec:
              selector: { matchLabels: { {{ShopWorkload.NameLabel}}: python } }
              template:
                metadata: { labels: { {{ShopWorkload.NameLabel}}: python } }
                spec:
                  terminationGracePeriodSeconds: 0
                  containers: [ { name: python, image: "{{PythonImage}}", command: [ sleep, infinity ] } ]
            """)).ShouldSucceed();
    }

    public async Task ExposeGatewayAsync(Host world)
    {
        var told = (await KubectlAsync(world, "get", "configmap", ClusterObjects.SpaceConfigMap, "-n", "fairlead", "-o", $"jsonpath={{.data.{SpaceKeys.Endpoints}}}")).Text;
        _ways = await GatewayWays.FindAsync(kubeconfig, told);
        NodeAddresses = [.. _ways.Addresses.Select(a => a.ToString())];
        foreach (var local in _ways.Locals)
        {
            await RelayAsync(world, local, cancellationToken => _ways.ConnectAsync(local, cancellationToken));
        }
    }

    public async Task AwaitShopAsync(Host world)
    {
        (string Workload, ClusterFeature Feature, string Image)[] others =
        [
            ("statefulset/postgres", ClusterFeature.Postgres, "postgres:15"),
            ("deployment/redis", ClusterFeature.Redis, "redis:7"),
            ("deployment/python", ClusterFeature.Python, PythonImage),
        ];
        foreach (var workload in new[] { "frontend", "stock", "quotes", "echo" })
        {
            (await RolloutAsync(world, $"deployment/{workload}", TimeSpan.FromMinutes(3))).ShouldSucceed();
        }

        var patience = new ImagePatience();
        foreach (var (workload, feature, name) in others)
        {
            string? why = null;
            while ((await RolloutAsync(world, workload, TimeSpan.FromSeconds(2))).ExitCode != 0 && why is null)
            {
                why = patience.WhyNot(Yaml.Parse((await KubectlAsync(world, "get", "pods", "-n", "shop", "-l", $"{ShopWorkload.NameLabel}={workload.Split('/')[1]}", "-o", "json")).Text)[0]);
            }

            if (why is not null)
            {
                _lacks[feature] = $"the cluster does not run the image {name}: {why}";
            }
        }
    }

    public async Task TakeDownAsync(Host world)
    {
        if (_taken)
        {
            var gateway = await world.RunAsync([Programs.Fairlead, "gateway", "uninstall", "--yes", "--kubeconfig", Cluster.Kubeconfig], limit: TimeSpan.FromSeconds(180));
            foreach (var left in (await RemoveOursAsync(world)).Append(gateway).Where(r => r.ExitCode != 0))
            {
                await Console.Error.WriteLineAsync($"not all is removed from the cluster: {left.Command}: {left.Error}");
            }
        }

        foreach (var relay in _relays)
        {
            await relay.DisposeAsync();
        }

        _relays.Clear();
        _ways?.Dispose();
    }

    /// <summary>The kubeconfig's current context alone, with everything that it refers to inside, and a way to its API server.</summary>
    private async Task ReachApiServerAsync(Host world)
    {
        (await Shell.RunAsync(["kubectl", "--kubeconfig", kubeconfig, "get", "--raw", "/readyz", "--request-timeout=20s"])).ShouldSucceed();
        var config = JsonNode.Parse((await Shell.RunAsync(["kubectl", "--kubeconfig", kubeconfig, "config", "view", "--raw", "--flatten", "--minify", "-o", "json"])).Text)!;
        var cluster = config["clusters"]![0]!["cluster"]!;
        var user = config["users"]![0]!["user"]!;
        if ((user["exec"] ?? user["auth-provider"] ?? cluster["proxy-url"]) is { } elsewhere)
        {
            throw new InvalidOperationException($"{kubeconfig} has {elsewhere.GetPropertyName()}: the tests' hosts reach the API server and nothing else. Give one that logs in by a token or a client certificate, without a proxy");
        }

        var server = new Uri(cluster["server"]!.GetValue<string>());
        var host = server.Host.Trim('[', ']');
        var local = IPAddress.TryParse(host, out var literal) && literal.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(literal) ? literal : IPAddress.Parse(ApiStandIn);
        if (!local.Equals(literal))
        {
            // What follows the port is kept: a server of many clusters tells them apart by it.
            cluster["server"] = new UriBuilder(server) { Host = local.ToString() }.Uri.ToString().TrimEnd('/');
            cluster["tls-server-name"] ??= host;
        }

        await world.WriteAsync(Cluster.Kubeconfig, config.ToJsonString());
        await RelayAsync(world, new IPEndPoint(local, server.Port), cancellationToken => Relay.ConnectAsync(host, server.Port, cancellationToken));
        ApiServer = (local.ToString(), server.Port);
        (await KubectlAsync(world, "get", "--raw", "/readyz")).ShouldSucceed();
    }

    /// <summary>What an earlier run left is ours to remove; what somebody else made stays, and then there is nothing to test.</summary>
    private static async Task RequireFreeAsync(Host world)
    {
        if ((await KubectlAsync(world, "auth", "can-i", "*", "*", "--all-namespaces")).Output.Trim() != "yes")
        {
            throw new InvalidOperationException("the kubeconfig's user may not do everything in the cluster: the tests install a gateway, roles and custom resource definitions, so that they want an admin's (cluster-admin)");
        }

        string[] ours = (await KubectlAsync(world, "get", "namespace", "-l", Cluster.OwnLabel, "-o", "jsonpath={.items[*].metadata.name}")).Text.Split(' ');
        string[] all = (await KubectlAsync(world, "get", "namespace", "-o", "jsonpath={.items[*].metadata.name}")).Text.Split(' ');
        string[] gateways = (await KubectlAsync(world, "get", "deployment", "-A", "-l", $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", "-o", "jsonpath={.items[*].metadata.namespace}")).Text
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (gateways.Except(ours).FirstOrDefault() is { } other)
        {
            throw new InvalidOperationException($"the cluster has a gateway of Fairlead in namespace {other} that these tests did not install, and there can be one in a cluster: uninstall it first, or use another cluster");
        }

        if (all.Intersect(["fairlead", "shop"]).Except(ours).FirstOrDefault() is { } taken)
        {
            throw new InvalidOperationException($"the cluster has a namespace {taken} that these tests did not make: they would change what is in it; remove it, or label it {Cluster.OwnLabel}");
        }
    }

    private static Task<Outcome[]> RemoveOursAsync(Host world) => Task.WhenAll(new[] { "namespace", "clusterrolebinding", "certificatesigningrequest" }.Select(kind => world.RunAsync(
        ["kubectl", "--kubeconfig", Cluster.Kubeconfig, "delete", kind, "-l", Cluster.OwnLabel, "--timeout=150s"], limit: TimeSpan.FromSeconds(180))));

    /// <param name="level">Of Pod Security, whatever the cluster has for namespaces that say nothing.</param>
    private static async Task CreateNamespaceAsync(Host world, string name, string level)
    {
        (await world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, "create", "-f", "-"], Cluster.NamespaceYaml(name, level))).ShouldSucceed();
        var created = (await KubectlAsync(world, "get", "namespace", name, "-o", "jsonpath={.metadata.creationTimestamp}")).Text;
        var difference = TimeProvider.System.GetUtcNow() - DateTimeOffset.Parse(created, CultureInfo.InvariantCulture);
        if (difference.Duration() > MostClockDifference)
        {
            throw new InvalidOperationException($"this machine's clock is {difference.TotalSeconds:0} s ahead of the cluster's: the tests of certificates and of wrong clocks want both right");
        }
    }

    private async Task RelayAsync(Host world, IPEndPoint local, Func<CancellationToken, Task<Stream>> open)
    {
        (await world.RunAsync("ip", "address", "replace", $"{local.Address}/32", "dev", "lo")).ShouldSucceed();
        _relays.Add(Relay.OutOf(world, local, open));
    }

    private static Task<Outcome> RolloutAsync(Host world, string workload, TimeSpan limit) => world.RunAsync(
        ["kubectl", "--kubeconfig", Cluster.Kubeconfig, "rollout", "status", "-n", "shop", workload, $"--timeout={limit.TotalSeconds:0}s"], limit: limit + TimeSpan.FromSeconds(20));

    private static Task<Outcome> KubectlAsync(Host world, params string[] arguments) => world.RunAsync(["kubectl", "--kubeconfig", Cluster.Kubeconfig, .. arguments]);
}
