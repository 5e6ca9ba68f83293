using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Catalog;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>Keeps <see cref="ClusterState"/>, <see cref="Grants"/>, <see cref="Revocations"/> and <see cref="ClientSettings"/> in step with the cluster.</summary>
/// <param name="namespaces">The only ones to look into (deploy/chart gives no right to more); empty: all.</param>
internal sealed partial class ClusterWatch(
    KubernetesClient client, ClusterState state, IReadOnlyList<string> namespaces, Grants grants, Revocations revocations, ClientSettings settings, ILogger<ClusterWatch> logger)
{
    private readonly RevocationKeeper keeper = new(client, logger);
    private readonly TaskCompletionSource synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The state has one writer of each kind; the informers of several namespaces take turns.
    private readonly Lock turn = new();

    /// <summary>Completes once everything is known.</summary>
    public Task Synced => synced.Task;

    /// <summary>Runs until cancelled; fails when an informer does, which is a defect.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var own = client.Connection.Namespace;
        List<(Task Run, Task Sync)> followed =
        [
            Follow(new Informer<Node>(client, Resources.Nodes), n => state.PutNode(Mapping.Map(n)), n => state.RemoveNode(n.Metadata.Name ?? ""), stop.Token),
            Follow(
                new Informer<Grant>(client, Grant.Resource, own),
                g => grants.Put(g.Metadata.Name ?? "", g.Spec ?? new GrantSpec(null, null)),
                g => grants.Put(g.Metadata.Name ?? "", null),
                stop.Token),
            Follow(Named(ClusterObjects.RevocationsConfigMap), m => revocations.Replace(keeper.Complete(m.Data)), m => keeper.Restore(m.Data), stop.Token),
            (keeper.RunAsync(stop.Token), keeper.EnsureAsync(stop.Token)),
            Follow(Named(ClusterObjects.ClientConfigMap), m => settings.Replace(m.Data), _ => settings.Replace(new Dictionary<string, string>()), stop.Token),
        ];
        if (namespaces.Count == 0)
        {
            followed.AddRange(FollowNamespace(null, stop.Token));
        }
        else
        {
            followed.AddRange(namespaces.Append(own).Distinct().SelectMany(ns => FollowNamespace(ns, stop.Token)));
            if (!namespaces.Contains(ClusterState.ApiServerService.Namespace))
            {
                // What the API server's addresses are has to be known, so that nothing else leads there.
                followed.AddRange(FollowServices(ClusterState.ApiServerService.Namespace, "metadata.name=" + ClusterState.ApiServerService.Name, stop.Token));
            }
        }

        List<Task> running = [.. followed.Select(f => f.Run), SignalAsync([.. followed.Select(f => f.Sync)])];
        try
        {
            while (running.Count > 0)
            {
                var ended = await Task.WhenAny(running);
                running.Remove(ended);
                await ended;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Informer<ConfigMap> Named(string name) => new(client, Resources.ConfigMaps, client.Connection.Namespace, fieldSelector: "metadata.name=" + name);

    private List<(Task Run, Task Sync)> FollowNamespace(string? ns, CancellationToken stop) =>
    [
        Follow(
            new Informer<Pod>(client, Resources.Pods, ns),
            InTurn<Pod>(p => state.PutPod(Mapping.Map(p, client.Connection.Namespace))),
            InTurn<Pod>(p => state.RemovePod(Mapping.KeyOf(p))),
            stop),
        .. FollowServices(ns, null, stop),
    ];

    private List<(Task Run, Task Sync)> FollowServices(string? ns, string? selector, CancellationToken stop) =>
    [
        Follow(
            new Informer<Service>(client, Resources.Services, ns, fieldSelector: selector),
            InTurn<Service>(s => state.PutService(Mapping.Map(s))),
            InTurn<Service>(s => state.RemoveService(Mapping.KeyOf(s))),
            stop),
        Follow(new Informer<EndpointSlice>(client, Resources.EndpointSlices, ns, fieldSelector: selector), InTurn<EndpointSlice>(PutSlice), InTurn<EndpointSlice>(s => state.RemoveSlice(Mapping.KeyOf(s))), stop),
    ];

    private Action<T> InTurn<T>(Action<T> write) => value =>
    {
        lock (turn)
        {
            write(value);
        }
    };

    private (Task Run, Task Sync) Follow<T>(Informer<T> informer, Action<T> put, Action<T> remove, CancellationToken stop)
        where T : KubeObject
    {
        var kind = typeof(T).Name;
        informer.OnChange += change => (change.Type == InformerEventType.Deleted ? remove : put)(change.Object);
        informer.OnFailure += failure => LogWatchFailed(kind, failure.Error.Message, failure.RetryIn);
        return (informer.RunAsync(stop), informer.WaitForSyncAsync(stop));
    }

    private void PutSlice(EndpointSlice slice)
    {
        if (Mapping.Map(slice) is { } view)
        {
            state.PutSlice(view);
        }
        else
        {
            state.RemoveSlice(Mapping.KeyOf(slice));
        }
    }

    private async Task SignalAsync(Task[] parts)
    {
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (parts.All(p => p.IsCompletedSuccessfully))
        {
            synced.TrySetResult();
        }
        else
        {
            synced.TrySetCanceled(CancellationToken.None);
        }
    }

    [LoggerMessage(1101, LogLevel.Warning, "the watch of {Kind} broke ({Error}); again in {RetryIn}")]
    private partial void LogWatchFailed(string kind, string error, TimeSpan retryIn);
}
