using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Companion.Administration.Installation;

/// <summary>Looks at an installed gateway: its objects, and each replica's own word by way of a port-forward.</summary>
internal sealed class Inspection(KubernetesClient client, string ns)
{
    private const int MaxStatus = 1 << 20;
    private static readonly TimeSpan StatusTimeout = TimeSpan.FromSeconds(5);

    public async Task<GatewayDeployment> LookAsync(CancellationToken cancellationToken)
    {
        if (await client.GetAsync(Resources.Deployments, ns, ClusterObjects.Gateway, cancellationToken) is not { } deployment)
        {
            return new GatewayDeployment(false, ns, null, 0, 0, null, null, [], [], [], true, null, []);
        }

        var space = await client.GetAsync(Resources.ConfigMaps, ns, ClusterObjects.SpaceConfigMap, cancellationToken);
        var release = await Release.ReadAsync(client, ns, cancellationToken);
        var pods = await PodsAsync(client, ns, cancellationToken);
        var told = await Task.WhenAll(pods.Select(p => AskAsync(p, cancellationToken)));
        var problems = await Diagnosis.FindAsync(client, ns, deployment, pods, cancellationToken);
        return new GatewayDeployment(
            true,
            ns,
            deployment.Spec.Template.Spec.Containers is [var first, ..] ? first.Image : null,
            deployment.Spec.Replicas ?? 1,
            deployment.Status?.ReadyReplicas ?? 0,
            space?.Data.GetValueOrDefault(SpaceKeys.Name),
            space?.Data.GetValueOrDefault(SpaceKeys.Uid),
            [.. EndpointsOf(space, ns).Select(e => $"{e.Host}:{e.ApiPort}:{e.DataPort}")],
            [.. pods.Zip(told, Describe)],
            [.. told.OfType<ReplicaStatus>().SelectMany(t => t.People).GroupBy(p => p.Subject).Select(g => new ConnectedPerson(g.Key, g.Max(p => p.Laptops))).OrderBy(p => p.Subject, StringComparer.Ordinal)],
            pods.Zip(told).All(p => p.Second is not null || !IsRunning(p.First)),
            release?.Values,
            [.. problems.Select(p => p.Text)]);
    }

    public static async Task<IReadOnlyList<Pod>> PodsAsync(KubernetesClient client, string ns, CancellationToken cancellationToken)
    {
        var pods = await client.ListAsync(Resources.Pods, ns, $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", cancellationToken: cancellationToken);
        return [.. pods.Items.OrderBy(p => p.Metadata.Name, StringComparer.Ordinal)];
    }

    /// <exception cref="FairleadException">Somebody damaged the ConfigMap.</exception>
    public static IReadOnlyList<GatewayEndpoint> EndpointsOf(ConfigMap? space, string ns)
    {
        if (space?.Data.GetValueOrDefault(SpaceKeys.Endpoints) is not { } json)
        {
            return [];
        }

        try
        {
            return JsonSerializer.Deserialize(json, ClusterJson.Default.IReadOnlyListGatewayEndpoint) ?? [];
        }
        catch (JsonException e)
        {
            throw new FairleadException(ErrorCategory.Failed, "space-damaged", $"The ConfigMap {ns}/{ClusterObjects.SpaceConfigMap} is damaged", "its endpoints can't be read", "Delete it: the gateway writes it anew within a minute.", e);
        }
    }

    private static GatewayReplica Describe(Pod pod, ReplicaStatus? told)
    {
        var container = pod.Status?.ContainerStatuses is [var only, ..] ? only : null;
        var state = pod.Metadata.DeletionTimestamp is not null ? "Terminating"
            : container?.State.Waiting?.Reason ?? told?.NotReady ?? pod.Status?.Phase ?? "Unknown";
        return new GatewayReplica(
            pod.Metadata.Name ?? "", pod.Spec.NodeName, container?.Ready == true, state, container?.RestartCount ?? 0, told?.Version, told?.People.Count, told?.Flows, pod.Metadata.CreationTimestamp);
    }

    private static bool IsRunning(Pod pod) => pod.Status?.ContainerStatuses is [{ State.Running: not null }, ..];

    /// <summary>Null when it can't be asked: it does not run, is of an older version, or the user may not forward ports.</summary>
    private async Task<ReplicaStatus?> AskAsync(Pod pod, CancellationToken cancellationToken)
    {
        var port = pod.Spec.Containers.SelectMany(c => c.Ports).FirstOrDefault(p => p.Name == ReplicaStatus.PortName)?.Port;
        if (port is null || !IsRunning(pod))
        {
            return null;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StatusTimeout);
        try
        {
            await using var stream = await client.ConnectPodAsync(ns, pod.Metadata.Name!, port.Value, limit.Token);
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectCallback = (_, _) => ValueTask.FromResult(stream) })
            {
                BaseAddress = new Uri("http://gateway"),
                MaxResponseContentBufferSize = MaxStatus,
            };
            return await http.GetFromJsonAsync(ReplicaStatus.Path, GatewayJson.Default.ReplicaStatus, limit.Token);
        }
        catch (Exception e) when (e is KubernetesException or HttpRequestException or IOException or JsonException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
