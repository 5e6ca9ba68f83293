using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Nodes;

/// <summary>
/// One pod on the node, from its network to its removal. Owns network, volumes and containers; <see cref="RunAsync"/> ends when nothing
/// of the pod is left and the object is gone.
/// </summary>
internal sealed partial class PodWorker : IPodScope, IDisposable
{
    private const int NotFound = 404;
    private static readonly TimeSpan VolumePause = TimeSpan.FromMilliseconds(500);

    private readonly NodeContext node;
    private readonly Lock gate = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource deadline;
    private readonly Channel<bool> statusWanted = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly List<(ContainerRunner Runner, Task Task)> running = [];
    private readonly List<ContainerRunner> init;
    private readonly List<ContainerRunner> regular;
    private readonly List<ContainerRunner> ephemeral = [];
    private readonly string startTime;
    private PodNetwork? network;
    private PodVolumes? volumes;
    private bool initialized;
    private DateTimeOffset stopBy = DateTimeOffset.MaxValue;
    private bool disposed;

    internal PodWorker(NodeContext node, JsonObject pod)
    {
        this.node = node;
        Pod = pod;
        deadline = new CancellationTokenSource(Timeout.InfiniteTimeSpan, node.Time);
        startTime = node.Time.Timestamp();
        init = [.. pod.Maps("spec", "initContainers").Select(c => Runner(c, ContainerKind.Init))];
        regular = [.. pod.Maps("spec", "containers").Select(c => Runner(c, ContainerKind.Regular))];
    }

    public JsonObject Pod { get; private set; }

    public PodNetwork Network => network ?? throw new StatusException(400, "BadRequest", $"pod {Pod.Name()} has no network yet");

    public PodVolumes Volumes => volumes ?? throw new StatusException(400, "BadRequest", $"pod {Pod.Name()} has no volumes yet");

    private IEnumerable<ContainerRunner> All
    {
        get
        {
            lock (gate)
            {
                return [.. init, .. regular, .. ephemeral];
            }
        }
    }

    public ContainerRunner? Find(string container) => All.FirstOrDefault(runner => runner.Name == container);

    /// <summary>Takes in a newer object: a deletion, ephemeral containers, labels.</summary>
    internal void Update(JsonObject pod)
    {
        Pod = pod;
        if (pod.IsBeingDeleted())
        {
            Stop(TimeSpan.FromSeconds(Math.Max(0, pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30)));
            return;
        }

        foreach (var spec in pod.Maps("spec", "ephemeralContainers").Where(spec => Find(spec.Text("name") ?? "") is null))
        {
            var runner = Runner(spec, ContainerKind.Ephemeral);
            lock (gate)
            {
                ephemeral.Add(runner);
            }

            // It shares the network of the running containers; before those there is nothing to attach to.
            _ = Launch(runner, after: regular.Select(r => r.StartedOnce.Task).FirstOrDefault() ?? Task.CompletedTask);
        }
    }

    /// <summary>Begins the end: containers have until <paramref name="grace"/> is over. Later calls can only shorten it.</summary>
    internal void Stop(TimeSpan grace)
    {
        lock (gate)
        {
            var end = node.Time.GetUtcNow() + grace;
            if (disposed || end >= stopBy)
            {
                return; // The watch may tell of a deletion after its work is done.
            }

            stopBy = end;
            deadline.CancelAfter(grace);
        }

        _ = stopping.CancelAsync();
    }

    /// <summary>ConfigMaps, Secrets or time have changed: rewrites the pod's volumes.</summary>
    internal void RefreshVolumes()
    {
        if (stopping.IsCancellationRequested)
        {
            return;
        }

        try
        {
            volumes?.Refresh(Pod);
        }
        catch (Exception e) when (e is ContainerConfigException or StatusException or IOException)
        {
            // Like a kubelet: the files stay as they were, and somebody is told.
            node.Events.Warning(Pod, "FailedMount", e.Message);
        }
    }

    internal async Task RunAsync()
    {
        var reporting = ReportAsync();
        try
        {
            await StartAsync();
            await WaitForEndAsync();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Deleted while it came up.
        }
        catch (Exception e)
        {
            node.Events.Warning(Pod, "FailedCreatePodSandBox", e.Message);
            LogFailure(Pod.Key(), e);
            await stopping.Token.WhenCancelled();
        }

        await EndAsync();
        statusWanted.Writer.Complete();
        await reporting;
        Remove();
    }

    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
        }

        stopping.Dispose();
        deadline.Dispose();
        foreach (var runner in All)
        {
            runner.Dispose();
        }
    }

    private ContainerRunner Runner(JsonObject spec, ContainerKind kind) => new(node, this, spec, kind, () => statusWanted.Writer.TryWrite(true));

    private async Task StartAsync()
    {
        foreach (var field in (string[])["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
        {
            if (Pod.Flag("spec", field) == true)
            {
                throw new ContainerConfigException($"the sandbox has no {field}");
            }
        }

        network = await node.Network.AddPodAsync(Pod.Uid(), PodSysctls.Of(Pod), stopping.Token);
        statusWanted.Writer.TryWrite(true);
        WriteFiles();
        volumes = new PodVolumes(node, network.Address.ToString());
        await MountAsync(volumes);
        foreach (var runner in init)
        {
            var ends = Launch(runner, Task.CompletedTask);
            await (runner.IsSidecar ? runner.StartedOnce.Task : ends).WaitAsync(stopping.Token);
            if (!runner.IsSidecar && !runner.Status.Succeeded)
            {
                return;
            }
        }

        initialized = true;
        foreach (var runner in regular)
        {
            _ = Launch(runner, Task.CompletedTask);
        }
    }

    private void WriteFiles()
    {
        var directory = Path.Combine(node.Directories.PodVolatile(Pod.Uid()), "etc");
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "hosts"), PodFiles.Hosts(Pod, Network.Address.ToString()));
        File.WriteAllText(Path.Combine(directory, "resolv.conf"), PodFiles.ResolvConf(Pod));
        File.WriteAllText(Path.Combine(directory, "hostname"), PodFiles.HostName(Pod) + "\n");
    }

    private async Task MountAsync(PodVolumes wanted)
    {
        while (true)
        {
            try
            {
                wanted.Refresh(Pod);
                return;
            }
            catch (Exception e) when (e is ContainerConfigException or StatusException or IOException)
            {
                node.Events.Warning(Pod, "FailedMount", $"MountVolume.SetUp failed: {e.Message}");
                await Task.Delay(VolumePause, node.Time, stopping.Token);
            }
        }
    }

    /// <summary>Every launched container is awaited in <see cref="EndAsync"/>.</summary>
    private Task Launch(ContainerRunner runner, Task after)
    {
        async Task LaunchAsync()
        {
            await after.WaitAsync(stopping.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            try
            {
                if (!stopping.IsCancellationRequested)
                {
                    await runner.RunAsync();
                }
            }
            catch (Exception e)
            {
                LogContainer(Pod.Key(), runner.Name, e);
                node.Events.Warning(Pod, "Failed", $"Container {runner.Name} is given up: {e.Message}");
            }

            statusWanted.Writer.TryWrite(true);
        }

        var task = Task.Run(LaunchAsync);
        lock (gate)
        {
            running.Add((runner, task));
        }

        return task;
    }

    private Task WaitForEndAsync() => stopping.Token.WhenCancelled();

    private async Task EndAsync()
    {
        (ContainerRunner Runner, Task Task)[] all;
        lock (gate)
        {
            all = [.. running];
        }

        await Task.WhenAll(all.Select(r => r.Runner.StopAsync(deadline.Token)));
        await Task.WhenAll(all.Select(r => r.Task));

        network?.Dispose();
    }

    private async Task ReportAsync()
    {
        while (await statusWanted.Reader.WaitToReadAsync())
        {
            statusWanted.Reader.TryRead(out _);
            Report();
        }

        Report();
    }

    private void Report()
    {
        PodView view;
        lock (gate)
        {
            view = new PodView(
                network?.Address.ToString(), node.Network.Layout.NodeAddress.ToString(), startTime, initialized,
                [.. init.Select(r => r.Status)], [.. regular.Select(r => r.Status)], [.. ephemeral.Select(r => r.Status)]);
        }

        try
        {
            node.Store.Modify(Kinds.Pods, Pod.Namespace(), Pod.Name(), pod => pod.Uid() == Pod.Uid() && PodStatus.Write(pod, view, node.Time.Timestamp()));
        }
        catch (StatusException e) when (e.Code == NotFound)
        {
            // Removed by force: the watch tells the same.
        }
    }

    private void Remove()
    {
        foreach (var directory in new[] { node.Directories.PodVolatile(Pod.Uid()), node.Directories.PodData(Pod.Uid()) })
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        try
        {
            if (node.Store.Get(Kinds.Pods, Pod.Namespace(), Pod.Name()) is { } left && left.Uid() == Pod.Uid())
            {
                node.Store.Delete(Kinds.Pods, Pod.Namespace(), Pod.Name(), force: true);
            }
        }
        catch (StatusException e) when (e.Code == NotFound)
        {
            // Removed by force meanwhile.
        }
    }

    private void LogFailure(ObjectKey pod, Exception e) => LogFailure(node.Logger, pod, e);

    private void LogContainer(ObjectKey pod, string container, Exception e) => LogContainer(node.Logger, pod, container, e);

    [LoggerMessage(3101, LogLevel.Error, "Pod {Pod} cannot start")]
    private static partial void LogFailure(ILogger logger, ObjectKey pod, Exception e);

    [LoggerMessage(3102, LogLevel.Error, "Container {Container} of pod {Pod} ended badly")]
    private static partial void LogContainer(ILogger logger, ObjectKey pod, string container, Exception e);
}
