using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Nodes;

/// <summary>The node: gives every pod a worker, and answers the API server's questions about running containers.</summary>
internal sealed partial class NodeAgent : INodeAgent
{
    private static readonly TimeSpan TokenCheck = TimeSpan.FromMinutes(1);

    private readonly NodeContext node;
    private readonly ObjectCache pods;
    private readonly ObjectCache configMaps;
    private readonly ObjectCache secrets;

    // By uid: a pod of the same name may come while its predecessor still ends. Bounded by the pod addresses.
    private readonly ConcurrentDictionary<string, (PodWorker Worker, Task Task)> workers = new();

    internal NodeAgent(NodeContext node)
    {
        this.node = node;
        pods = new ObjectCache(node.Store, Kinds.Pods, OnPod);
        configMaps = new ObjectCache(node.Store, Kinds.ConfigMaps, (_, changed, _) => Refresh(changed.Namespace()));
        secrets = new ObjectCache(node.Store, Kinds.Secrets, (_, changed, _) => Refresh(changed.Namespace()));
    }

    internal int Pods => workers.Count;

    /// <summary>Until cancelled; then every pod's processes are ended at once.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await TaskGroup.RunAsync(cancellationToken, pods.RunAsync, configMaps.RunAsync, secrets.RunAsync, RenewTokensAsync);
        }
        finally
        {
            foreach (var (worker, _) in workers.Values)
            {
                worker.Stop(TimeSpan.Zero);
            }

            await Task.WhenAll(workers.Values.Select(w => w.Task));
        }
    }

    public Task<Stream> OpenLogAsync(ContainerId container, LogOptions options, CancellationToken cancellationToken) =>
        Task.FromResult(Container(container).OpenLog(options));

    public Task<IExecSession> ExecAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(Container(container).OpenExec(request));

    public Task<IExecSession> AttachAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(Container(container).OpenAttach(request));

    public async Task<Stream> DialPodAsync(string @namespace, string pod, int port, CancellationToken cancellationToken)
    {
        var socket = await ClusterNetwork.ConnectAsync(
            Worker(@namespace, pod).Network.Namespace, new IPEndPoint(IPAddress.Loopback, port), cancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private ContainerRunner Container(ContainerId id) =>
        Worker(id.Namespace, id.Pod).Find(id.Container)
        ?? throw new StatusException(400, "BadRequest", $"container {id.Container} is not valid for pod {id.Pod}");

    private PodWorker Worker(string @namespace, string pod) =>
        workers.Values.Select(w => w.Worker).Where(w => w.Pod.Key() == new ObjectKey(@namespace, pod)).OrderBy(w => w.Pod.IsBeingDeleted()).FirstOrDefault()
        ?? throw new StatusException(404, "NotFound", $"pods \"{pod}\" not found on the node");

    private void OnPod(WatchEventType type, JsonObject pod, JsonObject? before)
    {
        var uid = pod.Uid();
        if (type == WatchEventType.Deleted)
        {
            if (workers.TryGetValue(uid, out var gone))
            {
                gone.Worker.Stop(TimeSpan.Zero);
            }

            return;
        }

        if (workers.TryGetValue(uid, out var known))
        {
            known.Worker.Update(pod);
            return;
        }

        if (pod.Text("spec", "nodeName") is not { Length: > 0 })
        {
            if (pod.IsBeingDeleted())
            {
                RemoveEnded(pod);
            }
            else
            {
                Bind(pod);
            }

            return;
        }

        if (pod.Text("spec", "nodeName") == ClusterLayout.NodeName && pod.Text("status", "phase") is not ("Succeeded" or "Failed"))
        {
            var worker = new PodWorker(node, pod);
            workers[uid] = (worker, Task.Run(() => RunAsync(uid, worker)));
            worker.Update(pod);
        }
        else if (pod.IsBeingDeleted())
        {
            RemoveEnded(pod);
        }
    }

    /// <summary>A pod that ended before its deletion has no worker to remove it. The event may be late: by now it may be gone, or another have its name.</summary>
    private void RemoveEnded(JsonObject pod)
    {
        try
        {
            if (node.Store.Get(Kinds.Pods, pod.Namespace(), pod.Name())?.Uid() == pod.Uid())
            {
                node.Store.Delete(Kinds.Pods, pod.Namespace(), pod.Name(), force: true);
            }
        }
        catch (StatusException e) when (e.Code == 404)
        {
            // Removed between the two.
        }
    }

    /// <summary>The scheduler of a cluster with one node. The watch brings the bound pod back.</summary>
    private void Bind(JsonObject pod)
    {
        try
        {
            if (pod.At("spec", "nodeSelector") is JsonObject { Count: > 0 } selector && !IsSelected(selector))
            {
                Refuse(pod);
                return;
            }

            node.Store.Modify(Kinds.Pods, pod.Namespace(), pod.Name(), found =>
            {
                found.Ensure("spec")["nodeName"] = ClusterLayout.NodeName;
                Conditions.Set(found.Ensure("status"), "PodScheduled", true, null, null, node.Time.Timestamp());
                return found.Uid() == pod.Uid();
            });
            node.Events.Normal(pod, "Scheduled", $"Successfully assigned {pod.Key()} to {ClusterLayout.NodeName}");
        }
        catch (StatusException e) when (e.Code == 404)
        {
            // Gone before it was scheduled.
        }
    }

    private bool IsSelected(JsonObject selector)
    {
        var labels = node.Store.Get(Kinds.Nodes, null, ClusterLayout.NodeName)?.At("metadata", "labels") as JsonObject;
        return selector.All(wanted => labels?.Text(wanted.Key) == wanted.Value?.GetValue<string>());
    }

    /// <summary>Said once: its own change of the pod comes back by the watch.</summary>
    private void Refuse(JsonObject pod)
    {
        const string Why = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
        var said = false;
        node.Store.Modify(Kinds.Pods, pod.Namespace(), pod.Name(), found =>
        {
            var known = (found.At("status", "conditions") as JsonArray)?.OfType<JsonObject>().Any(c => c.Text("type") == "PodScheduled" && c.Text("status") == "False") == true;
            if (known || found.Uid() != pod.Uid())
            {
                return false;
            }

            Conditions.Set(found.Ensure("status"), "PodScheduled", false, "Unschedulable", Why, node.Time.Timestamp());
            return said = true;
        });
        if (said)
        {
            node.Events.Warning(pod, "FailedScheduling", Why);
        }
    }

    private async Task RunAsync(string uid, PodWorker worker)
    {
        try
        {
            await worker.RunAsync();
        }
        catch (Exception e)
        {
            LogFailure(worker.Pod.Key(), e);
        }

        workers.TryRemove(uid, out _);
        worker.Dispose();
    }

    private void Refresh(string @namespace)
    {
        foreach (var (worker, _) in workers.Values.Where(w => w.Worker.Pod.Namespace() == @namespace))
        {
            worker.RefreshVolumes();
        }
    }

    private async Task RenewTokensAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TokenCheck, node.Time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            foreach (var (worker, _) in workers.Values)
            {
                worker.RefreshVolumes();
            }
        }
    }

    private void LogFailure(ObjectKey pod, Exception e) => LogFailure(node.Logger, pod, e);

    [LoggerMessage(3103, LogLevel.Error, "Pod {Pod} could not be cleaned up")]
    private static partial void LogFailure(ILogger logger, ObjectKey pod, Exception e);
}
