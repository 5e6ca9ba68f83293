using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>Keeps <see cref="ClusterState"/>, <see cref="Grants"/> and <see cref="Revocations"/> in step with the cluster.</summary>
internal sealed partial class ClusterWatch(KubernetesClient client, ClusterState state, Grants grants, Revocations revocations, ILogger<ClusterWatch> logger)
{
    private readonly TaskCompletionSource synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once everything is known.</summary>
    public Task Synced => synced.Task;

    /// <summary>Runs until cancelled; fails when an informer does, which is a defect.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var services = Follow(new Informer<Service>(client, Resources.Services), s => state.PutService(Mapping.Map(s)), s => state.RemoveService(Mapping.KeyOf(s)));
        var slices = Follow(new Informer<EndpointSlice>(client, Resources.EndpointSlices), PutSlice, s => state.RemoveSlice(Mapping.KeyOf(s)));
        var pods = Follow(new Informer<Pod>(client, Resources.Pods), p => state.PutPod(Mapping.Map(p)), p => state.RemovePod(Mapping.KeyOf(p)));
        var nodes = Follow(new Informer<Node>(client, Resources.Nodes), n => state.PutNode(Mapping.Map(n)), n => state.RemoveNode(n.Metadata.Name ?? ""));
        var given = Follow(
            new Informer<Grant>(client, Grant.Resource, ClusterObjects.Namespace),
            g => grants.Put(g.Metadata.Name ?? "", g.Spec ?? new GrantSpec(null, null)),
            g => grants.Put(g.Metadata.Name ?? "", null));
        var revoked = Follow(
            new Informer<ConfigMap>(client, Resources.ConfigMaps, ClusterObjects.Namespace, fieldSelector: "metadata.name=" + ClusterObjects.RevocationsConfigMap),
            m => revocations.Replace(m.Data),
            _ => LogRevocationsDeleted());

        List<Task> running =
        [
            services.RunAsync(stop.Token), slices.RunAsync(stop.Token), pods.RunAsync(stop.Token),
            nodes.RunAsync(stop.Token), given.RunAsync(stop.Token), revoked.RunAsync(stop.Token),
            SignalAsync(
            [
                services.WaitForSyncAsync(stop.Token), slices.WaitForSyncAsync(stop.Token), pods.WaitForSyncAsync(stop.Token),
                nodes.WaitForSyncAsync(stop.Token), given.WaitForSyncAsync(stop.Token), revoked.WaitForSyncAsync(stop.Token),
            ]),
        ];
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

    private Informer<T> Follow<T>(Informer<T> informer, Action<T> put, Action<T> remove)
        where T : KubeObject
    {
        var kind = typeof(T).Name;
        informer.OnChange += change => (change.Type == InformerEventType.Deleted ? remove : put)(change.Object);
        informer.OnFailure += failure => LogWatchFailed(kind, failure.Error.Message, failure.RetryIn);
        return informer;
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

    [LoggerMessage(1102, LogLevel.Warning, "the ConfigMap of revocations was deleted; what it said stays in force until this gateway restarts")]
    private partial void LogRevocationsDeleted();
}
