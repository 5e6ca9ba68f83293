using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>Keeps the ConfigMap fairlead-space true: what the space is called and where the gateway is reached.</summary>
/// <param name="given">Endpoints that the admin gave; when empty they are found from the gateway's Service and the nodes.</param>
/// <param name="ingress">The HTTP ingress that leads here; the last resort of clients.</param>
internal sealed partial class SpacePublisher(
    KubernetesClient client,
    ClusterState cluster,
    string name,
    string uid,
    string authority,
    IReadOnlyList<GatewayEndpoint> given,
    GatewayEndpoint? ingress,
    ILogger<SpacePublisher> logger)
{
    /// <summary>As many as a join token may carry.</summary>
    private const int MaxEndpoints = 16;

    /// <summary>Between looks when nothing is known to have changed, in case somebody edited the ConfigMap.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    private volatile TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile IReadOnlyList<GatewayEndpoint> endpoints = [];

    /// <summary>Where the gateway is reached, as far as is known.</summary>
    public IReadOnlyList<GatewayEndpoint> Endpoints => endpoints;

    /// <summary>Nodes or the gateway's Service changed.</summary>
    public void Wake() => changed.TrySetResult();

    /// <summary>Called when the gateway is reached elsewhere: laptops should hear of it before the old way ends.</summary>
    public Action Changed { get; set; } = static () => { };

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = Interval;
            var next = changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            try
            {
                await PublishAsync(cancellationToken);
            }
            catch (KubernetesException e)
            {
                LogFailed(e.Message);
                wait = RetryInterval;
            }

            await Task.WhenAny(next.Task, Task.Delay(wait, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    internal async Task PublishAsync(CancellationToken cancellationToken)
    {
        var found = given;
        if (given.Count == 0)
        {
            var service = await client.GetAsync(Resources.Services, client.Connection.Namespace, ClusterObjects.Gateway, cancellationToken);
            found = [.. Reach.Find(service, cluster.Nodes).Take(MaxEndpoints - 1)];
        }

        if (ingress is not null && !found.Contains(ingress))
        {
            found = [.. found, ingress];
        }

        if (!found.SequenceEqual(endpoints))
        {
            endpoints = found;
            Changed();
            LogEndpoints(string.Join(", ", found.Select(e => $"{e.Host}:{e.ApiPort}:{e.DataPort}")));
        }

        var data = new Dictionary<string, string>
        {
            [SpaceKeys.Name] = name,
            [SpaceKeys.Uid] = uid,
            [SpaceKeys.Endpoints] = JsonSerializer.Serialize(found, ClusterJson.Default.IReadOnlyListGatewayEndpoint),
            [SpaceKeys.Authority] = authority,
        };
        var map = await client.GetAsync(Resources.ConfigMaps, client.Connection.Namespace, ClusterObjects.SpaceConfigMap, cancellationToken);
        if (map is null)
        {
            await CreateAsync(data, cancellationToken);
        }
        else if (data.Any(d => map.Data.GetValueOrDefault(d.Key) != d.Value))
        {
            var change = new JsonObject { ["data"] = new JsonObject(data.Select(d => KeyValuePair.Create<string, JsonNode?>(d.Key, d.Value))) };
            await client.PatchAsync(Resources.ConfigMaps, client.Connection.Namespace, ClusterObjects.SpaceConfigMap, Patch.Merge(change), cancellationToken);
        }
    }

    private async Task CreateAsync(Dictionary<string, string> data, CancellationToken cancellationToken)
    {
        try
        {
            await client.CreateAsync(
                Resources.ConfigMaps,
                new ConfigMap
                {
                    Metadata = { Namespace = client.Connection.Namespace, Name = ClusterObjects.SpaceConfigMap, Labels = new() { [ClusterObjects.ManagedByLabel] = ClusterObjects.Gateway } },
                    Data = data,
                },
                cancellationToken);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Another replica was faster: look again soon whether it wrote the same.
            Wake();
        }
    }

    [LoggerMessage(1103, LogLevel.Warning, "the space's ConfigMap could not be written: {Error}")]
    private partial void LogFailed(string error);

    [LoggerMessage(1104, LogLevel.Information, "reached at {Endpoints}")]
    private partial void LogEndpoints(string endpoints);
}

/// <summary>Works out where a gateway is reached from outside. Pure.</summary>
internal static class Reach
{
    private const string ApiPort = "api";
    private const string DataPort = "data";

    /// <summary>The load balancer if there is one; otherwise the node ports, on external addresses before internal ones, and of nodes that are off last: laptops try them in this order.</summary>
    public static IEnumerable<GatewayEndpoint> Find(Service? service, IEnumerable<NodeView> nodes)
    {
        if (service?.Spec.Ports.FirstOrDefault(p => p.Name == ApiPort) is not { } api)
        {
            return [];
        }

        var data = service.Spec.Ports.FirstOrDefault(p => p.Name == DataPort);
        var balancers = service.Status?.LoadBalancer?.Ingress.Select(i => string.IsNullOrEmpty(i.Ip) ? i.Hostname : i.Ip).OfType<string>().ToList() ?? [];
        if (balancers.Count > 0)
        {
            return balancers.Select(host => new GatewayEndpoint(host, api.Port, data?.Port ?? 0));
        }

        var ordered = nodes.OrderBy(n => n.Name, StringComparer.Ordinal).ToLookup(n => n.Ready);
        return api.NodePort is not { } nodePort || nodePort == 0
            ? []
            : new[] { ordered[true], ordered[false] }.SelectMany(some => some.SelectMany(n => n.ExternalAddresses).Concat(some.SelectMany(n => n.Addresses))).Distinct()
                .Select(a => new GatewayEndpoint(a.ToString(), nodePort, data?.NodePort ?? 0));
    }
}
