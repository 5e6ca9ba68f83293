using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;

namespace Fairlead.Testbed.Clusters;

/// <summary>
/// How this process reaches a gateway by the addresses that it tells laptops: each as it is where it answers here; else by another, since a NodePort is every
/// node's; and where none answers, because this machine reaches the API server alone, by port-forwards to a replica each.
/// </summary>
internal sealed class GatewayWays : IDisposable
{
    /// <summary>A node's proxy hears of a gateway a moment after it is ready.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly KubernetesClient _client;
    private readonly GatewayEndpoint[] _endpoints;
    private readonly HashSet<string> _answering;

    private GatewayWays(KubernetesClient client, GatewayEndpoint[] endpoints, HashSet<string> answering)
    {
        _client = client;
        _endpoints = endpoints;
        _answering = answering;
    }

    /// <summary>Those that laptops have a route to: IPv4.</summary>
    public IReadOnlyList<IPAddress> Addresses => [.. _endpoints.Select(e => IPAddress.Parse(e.Host)).Distinct()];

    /// <summary>All that is to be taken to the gateway.</summary>
    public IEnumerable<IPEndPoint> Locals => _endpoints.SelectMany(e => new[] { e.ApiPort, e.DataPort }.Select(port => new IPEndPoint(IPAddress.Parse(e.Host), port)));

    /// <param name="told">As the ConfigMap of the space has them, JSON.</param>
    /// <exception cref="InvalidOperationException">None of them is an IPv4 address.</exception>
    public static async Task<GatewayWays> FindAsync(string kubeconfig, string told)
    {
        var all = JsonSerializer.Deserialize(told, ClusterJson.Default.IReadOnlyListGatewayEndpoint)!;
        GatewayEndpoint[] endpoints = [.. all.Where(e => IPAddress.TryParse(e.Host, out var address) && address.AddressFamily == AddressFamily.InterNetwork)];
        if (endpoints.Length == 0)
        {
            throw new InvalidOperationException($"the nodes have no IPv4 address, which the tests' laptops take: the gateway is reached at {told}");
        }

        var answers = await Task.WhenAll(endpoints.Select(AnswersAsync));
        return new GatewayWays(new KubernetesClient(KubeConfig.Load(kubeconfig)), endpoints, [.. endpoints.Zip(answers).Where(x => x.Second).Select(x => x.First.Host)]);
    }

    /// <exception cref="IOException">There is no way now.</exception>
    public async Task<Stream> ConnectAsync(IPEndPoint local, CancellationToken cancellationToken)
    {
        var host = local.Address.ToString();
        return _answering.Count == 0
            ? await ForwardAsync(_endpoints.Any(e => e.ApiPort == local.Port) ? "api" : "data", cancellationToken)
            : await Relay.ConnectAsync(_answering.Contains(host) ? host : _answering.First(), local.Port, cancellationToken);
    }

    public void Dispose() => _client.Dispose();

    private static async Task<bool> AnswersAsync(GatewayEndpoint endpoint)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                await using var connection = await Relay.ConnectAsync(endpoint.Host, endpoint.ApiPort, patience.Token);
                return true;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200));
            }
        }
    }

    private async Task<Stream> ForwardAsync(string port, CancellationToken cancellationToken)
    {
        try
        {
            var pods = (await _client.ListAsync(Resources.Pods, "fairlead", $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", cancellationToken: cancellationToken)).Items
                .Where(p => p.Metadata.DeletionTimestamp is null && p.Status?.ContainerStatuses is [{ Ready: true }, ..]).ToArray();
            if (pods.Length == 0)
            {
                throw new IOException("no gateway is ready");
            }

            var pod = pods[Random.Shared.Next(pods.Length)];
            return await _client.ConnectPodAsync("fairlead", pod.Metadata.Name!, pod.Spec.Containers[0].Ports.Single(p => p.Name == port).Port, cancellationToken);
        }
        catch (KubernetesException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
