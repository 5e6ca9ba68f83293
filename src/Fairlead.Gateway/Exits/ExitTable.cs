using System.Collections.Concurrent;
using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Exit;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Exits;

/// <summary>
/// The agents that are connected to this gateway, by pod; places one in a pod of a workload when a flow is to leave from there and none is connected.
/// </summary>
internal sealed partial class ExitTable(Workloads workloads, ExitPlacer placer, TimeProvider time, ILogger<ExitTable> logger) : IExits, IAsyncDisposable
{
    /// <summary>After a failure flows are refused with its reason this long before the cluster is asked again.</summary>
    private static readonly TimeSpan FailurePause = TimeSpan.FromSeconds(5);

    private const int MaxAttempts = 2;

    /// <summary>Pods that are tried: what keeps an agent out of three keeps it out of the others.</summary>
    private const int MaxPods = 3;

    // By the pod's uid; entries go with the agents. Workloads that were asked for stay: each is a few words.
    private readonly ConcurrentDictionary<string, ExitConnection> connected = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> awaited = new();
    private readonly ConcurrentDictionary<WorkloadKey, Slot> slots = new();
    private readonly CancellationTokenSource stop = new();

    public int Count => connected.Count;

    public async Task<(FarEnd? FarEnd, FlowRefusal? Refusal)> DialAsync(WorkloadKey workload, TransportProtocol protocol, IPEndPoint address, CancellationToken cancellationToken)
    {
        var target = new FlowTarget(protocol, address.Address.ToString(), address.Port);
        FlowRefusal? refusal = null;
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            ExitConnection exit;
            try
            {
                exit = await FindAsync(workload).WaitAsync(cancellationToken);
            }
            catch (FairleadException e)
            {
                return (null, new FlowRefusal(e.Error.Category == ErrorCategory.Denied ? FlowFailure.Denied : FlowFailure.Unreachable, $"{e.Message}: {e.Error.Why}"));
            }

            if (!exit.HasRoom)
            {
                return (null, new FlowRefusal(FlowFailure.Overloaded, $"too many flows leave from {workload}"));
            }

            if (protocol == TransportProtocol.Tcp)
            {
                (var flow, refusal) = await exit.OpenAsync(target, cancellationToken);
                if (flow is not null)
                {
                    return (new FarEnd(Flow: flow), null);
                }
            }
            else
            {
                (var flow, refusal) = await exit.OpenDatagramsAsync(target, cancellationToken);
                if (flow is not null)
                {
                    return (new FarEnd(Datagrams: new ExitDatagrams(flow)), null);
                }
            }

            if (refusal!.Failure != FlowFailure.LinkDown)
            {
                return (null, refusal);
            }

            Forget(exit);
        }

        return (null, new FlowRefusal(FlowFailure.Unreachable, $"the agent in {workload} was lost: {refusal!.Message}"));
    }

    /// <summary>An agent has connected. Completes when it is gone.</summary>
    public async Task ServeAsync(string pod, ExitConnection connection, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop.Token);
        connected[pod] = connection;
        if (awaited.TryRemove(pod, out var waiting))
        {
            waiting.TrySetResult();
        }

        LogConnected(pod);
        try
        {
            await connection.WaitUntilLostAsync(time, either.Token);
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            // The gateway ends.
        }
        finally
        {
            Forget(connection);
            LogLost(pod);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        foreach (var (_, slot) in slots)
        {
            await ((Task)slot.Running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        stop.Dispose();
    }

    private void Forget(ExitConnection exit)
    {
        foreach (var entry in connected.Where(c => c.Value == exit))
        {
            connected.TryRemove(entry);
        }
    }

    /// <summary>One search at a time for each workload, which the flows that wait for it share: it goes on when one of them gives up.</summary>
    private Task<ExitConnection> FindAsync(WorkloadKey workload)
    {
        var slot = slots.GetOrAdd(workload, static _ => new Slot());
        lock (slot)
        {
            var usable = slot.Running switch
            {
                { IsCompleted: false } => true,
                { IsCompletedSuccessfully: true } found => connected.Values.Contains(found.Result),
                _ => slot.Began is { } began && time.GetElapsedTime(began) < FailurePause,
            };
            if (!usable)
            {
                slot.Running = SearchAsync(workload, slot);
            }

            return slot.Running;
        }
    }

    private async Task<ExitConnection> SearchAsync(WorkloadKey workload, Slot slot)
    {
        try
        {
            await Task.Yield();
            var pods = await workloads.PodsOfAsync(workload, stop.Token);
            foreach (var pod in pods)
            {
                if (connected.TryGetValue(pod.Uid, out var known))
                {
                    return known;
                }
            }

            FairleadException? failure = null;
            foreach (var pod in pods.Take(MaxPods))
            {
                try
                {
                    return await PlaceAsync(pod);
                }
                catch (FairleadException e)
                {
                    LogNotPlaced(pod, e.Error.Why);
                    failure = e;
                }
            }

            throw failure!;
        }
        catch (Fairlead.Kubernetes.KubernetesException e)
        {
            throw new FairleadException(ErrorCategory.NotConnected, "cluster-unavailable", $"The pods of {workload} can't be had", e.Message, inner: e);
        }
        finally
        {
            slot.Began = time.GetTimestamp();
        }
    }

    private async Task<ExitConnection> PlaceAsync(ExitPod pod)
    {
        var arrival = awaited.GetOrAdd(pod.Uid, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await placer.PlaceAsync(pod, arrival.Task, stop.Token);
        return connected.TryGetValue(pod.Uid, out var placed) ? placed : throw NotConnected(pod);
    }

    private static FairleadException NotConnected(ExitPod pod) => new(ErrorCategory.Conflict, "exit-impossible", $"The agent in pod {pod} was lost", "it connected and went away");

    private sealed class Slot
    {
        public Task<ExitConnection> Running { get; set; } = Task.FromException<ExitConnection>(new InvalidOperationException("not begun"));

        /// <summary>When the last search ended; a timestamp of the time provider.</summary>
        public long? Began { get; set; }
    }

    [LoggerMessage(1621, LogLevel.Information, "the agent in the pod with uid {Pod} is connected")]
    private partial void LogConnected(string pod);

    [LoggerMessage(1623, LogLevel.Warning, "no agent in pod {Pod}: {Reason}")]
    private partial void LogNotPlaced(ExitPod pod, string? reason);

    [LoggerMessage(1622, LogLevel.Information, "the agent in the pod with uid {Pod} is gone")]
    private partial void LogLost(string pod);
}
