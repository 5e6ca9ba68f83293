using System.Net;
using System.Net.Sockets;
using System.Text;
using Fairlead.EndToEnd.Tests.Identity;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Harness;

/// <summary>By which carrier a laptop reaches the gateway.</summary>
public enum Way
{
    Direct,

    /// <summary>The data port can't be reached: everything goes through the port that HTTPS has.</summary>
    WebSocket,

    /// <summary>Nothing of the gateway can be reached: everything goes through the API server.</summary>
    PortForward,
}

/// <summary>What a connection's far side in the pod said of it.</summary>
/// <param name="State"><c>reading</c>, <c>end</c>, <c>reset</c>, <c>sending</c>, <c>sent</c> or <c>unknown</c>.</param>
/// <param name="Sha256">Lower-case hexadecimal, once it is over.</param>
public sealed record FarReport(string State, long Bytes, string Sha256);

/// <summary>A namespace with a peer that does what a test says (the shop's <c>PeerRole</c>), and one laptop for each carrier that consumes it and the shop.</summary>
public sealed class Lab(SharedCluster shared) : IAsyncLifetime
{
    public const string Namespace = "lab";
    public const string Peer = "peer.lab";
    public const int Port = 9000;
    public const int DatagramPort = 9001;

    private readonly Dictionary<Way, Laptop> _laptops = [];
    private ClusterUser? _user;

    public Cluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = await shared.GetAsync();
        await Cluster.CreateNamespaceAsync(Namespace);
        await Cluster.ApplyAsync($$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: { name: peer, namespace: {{Namespace}} }
            spec:
              selector: { matchLabels: { app: peer } }
              template:
                metadata: { labels: { app: peer } }
                spec:
                  terminationGracePeriodSeconds: 1
                  containers:
                  - { name: peer, {{Cluster.ShopContainer("peer")}}, readinessProbe: { tcpSocket: { port: {{Port}} }, periodSeconds: 1 } }
            ---
            apiVersion: v1
            kind: Service
            metadata: { name: peer, namespace: {{Namespace}} }
            spec:
              selector: { app: peer }
              ports:
              - { name: tcp, port: {{Port}} }
              - { name: udp, port: {{DatagramPort}}, protocol: UDP }
            """);
        await Cluster.AwaitRolloutAsync(Namespace, "deploy/peer");
    }

    /// <summary>Tests of the collection run one after the other, so that none waits for another's laptop.</summary>
    public async Task<Laptop> LaptopAsync(Way way)
    {
        if (_laptops.TryGetValue(way, out var known))
        {
            return known;
        }

        var laptop = await Cluster.NewLaptopAsync();
        _laptops.Add(way, laptop);
        if (way == Way.PortForward)
        {
            _user = await ClusterUser.CreateAsync(Cluster, laptop, "lab");
            await _user.JoinByPortForwardAsync([Namespace, "shop"]);
            return laptop;
        }

        if (way == Way.WebSocket)
        {
            await laptop.ShutDataPortAsync();
        }

        await Cluster.JoinAsync(laptop, $"{Namespace},shop");
        await laptop.ConsumeAsync($"{Namespace}/*", "shop/*");
        (await laptop.SpaceAsync()).GetProperty("carrier").GetString().ShouldBe(way == Way.Direct ? "direct" : "websocket");
        return laptop;
    }

    /// <summary>Connected to the peer in the pod, which has been told what to do.</summary>
    public static async Task<Socket> ConnectAsync(Laptop laptop, string command)
    {
        var socket = laptop.Host.OpenSocket(SocketType.Stream);
        await socket.ConnectAsync(await laptop.ResolveAsync(Peer), Port, Limit.Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes(command + "\n"), Limit.Token);
        return socket;
    }

    public static async Task<FarReport> ReportAsync(Laptop laptop, string name)
    {
        using var socket = await ConnectAsync(laptop, $"report {name}");
        using var reader = new StreamReader(new NetworkStream(socket));
        var parts = (await reader.ReadLineAsync(Limit.Token))!.Split(' ');
        return new FarReport(parts[0], long.Parse(parts[1]), parts[2]);
    }

    public static async Task ReleaseAsync(Laptop laptop, string name)
    {
        using var socket = await ConnectAsync(laptop, $"release {name}");
        (await socket.ReceiveAsync(new byte[1], Limit.Token)).ShouldBe(0);
    }

    public async Task PrintLogsAsync()
    {
        await Cluster.PrintLogsAsync();
        foreach (var laptop in _laptops.Values)
        {
            await laptop.PrintLogsAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var laptop in _laptops.Values)
        {
            await laptop.DisposeAsync();
        }

        if (_user is not null)
        {
            await _user.RemoveAsync();
        }

        await Cluster.RemoveNamespaceAsync(Namespace);
    }
}

[CollectionDefinition(Name)]
public sealed class LabCollection : ICollectionFixture<Lab>
{
    public const string Name = "lab";
}

/// <summary>A test in the lab; when it fails, the logs are printed.</summary>
[Collection(LabCollection.Name)]
public abstract class LabTest(Lab lab) : IAsyncDisposable
{
    protected Lab Lab { get; } = lab;

    /// <inheritdoc cref="Needs.Need"/>
    protected void Need(ClusterFeature feature) => Needs.Need(Lab.Cluster, feature);

    /// <summary>What a connection's report goes by; no other test has it.</summary>
    protected string Name { get; } = Guid.NewGuid().ToString("N");

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            await Lab.PrintLogsAsync();
        }
    }
}

/// <summary>How long anything in a test may take that should happen at once: a busy machine is no failure, a hang is.</summary>
public static class Limit
{
    public static CancellationToken Token => new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;
}
