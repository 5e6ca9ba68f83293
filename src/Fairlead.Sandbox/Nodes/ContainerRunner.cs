using System.Text.Json.Nodes;
using Fairlead.Linux.Namespaces;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Network;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

internal enum ContainerKind
{
    Init,
    Regular,
    Ephemeral,
}

/// <summary>The pod as its containers see it.</summary>
internal interface IPodScope
{
    /// <summary>The newest object.</summary>
    JsonObject Pod { get; }

    PodNetwork Network { get; }

    PodVolumes Volumes { get; }

    ContainerRunner? Find(string container);
}

/// <summary>
/// Keeps one container in the state that its restart policy wants: starts it, probes it, restarts it with growing pauses, stops it.
/// <paramref name="changed"/> is called after each change of <see cref="Status"/>.
/// </summary>
internal sealed partial class ContainerRunner(NodeContext node, IPodScope scope, JsonObject spec, ContainerKind kind, Action changed)
    : IDisposable
{
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ConfigPause = TimeSpan.FromSeconds(1);

    private static readonly string[] EtcFiles = ["hosts", "resolv.conf", "hostname"];
    private static readonly string[] LayerParts = ["work", "root", "upper" + StartScript.OldRoot];

    private readonly Lock gate = new();
    private readonly CancellationTokenSource stopping = new();
    private ContainerProcess? process;
    private ContainerPlan? plan;
    private ContainerOutput? output;
    private ContainerLog? log;
    private ContainerLog? previousLog;
    private string? killReason;
    private int runs;

    internal string Name { get; } = spec.Text("name") ?? "";

    internal JsonObject Spec => spec;

    internal ContainerStatus Status { get; private set; } =
        new(spec.Text("name") ?? "", spec.Text("image") ?? "", $"sandbox://{Guid.NewGuid():N}");

    internal bool IsSidecar => kind == ContainerKind.Init && spec.Text("restartPolicy") == "Always";

    internal TaskCompletionSource StartedOnce { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private string Directory => Path.Combine(node.Directories.PodVolatile(scope.Pod.Uid()), "containers", Name);

    /// <summary>Until the container has ended for good: by its policy, or because <see cref="StopAsync"/> was called.</summary>
    internal async Task RunAsync()
    {
        var pause = TimeSpan.FromSeconds(1);
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                var began = node.Time.GetTimestamp();
                if (!await TryStartAsync())
                {
                    continue;
                }

                var code = await RunOnceAsync();
                if (stopping.IsCancellationRequested || !Restarts(code))
                {
                    return;
                }

                pause = node.Time.GetElapsedTime(began) > Settled ? TimeSpan.FromSeconds(1) : pause;
                var message = $"back-off {pause.TotalSeconds:0}s restarting failed container={Name} pod={scope.Pod.Name()}";
                node.Events.Warning(scope.Pod, "BackOff", $"Back-off restarting failed container {Name} in pod {scope.Pod.Name()}");
                Set(Status with { State = ContainerState.Waiting("CrashLoopBackOff", message), Last = Status.State });
                await Task.Delay(pause, node.Time, stopping.Token);
                pause = pause * 2 < MaxPause ? pause * 2 : MaxPause;
                Set(Status with { RestartCount = Status.RestartCount + 1 });
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while it waited.
        }
    }

    /// <summary>preStop, SIGTERM, and SIGKILL once <paramref name="deadline"/> is cancelled. It isn't started again.</summary>
    internal async Task StopAsync(CancellationToken deadline)
    {
        await stopping.CancelAsync();
        await EndAsync("Killing", $"Stopping container {Name}", deadline);
    }

    public void Dispose()
    {
        log?.Dispose();
        previousLog?.Dispose();
        stopping.Dispose();
    }

    private bool Restarts(int code) => kind switch
    {
        ContainerKind.Ephemeral => false,
        ContainerKind.Init => IsSidecar || (code != 0 && scope.Pod.Text("spec", "restartPolicy") != "Never"),
        _ => scope.Pod.Text("spec", "restartPolicy") switch
        {
            "Never" => false,
            "OnFailure" => code != 0,
            _ => true,
        },
    };

    /// <summary>False: it could not be started, the status says why, and a pause has passed.</summary>
    private async Task<bool> TryStartAsync()
    {
        var image = node.Images.Find(Status.Image);
        if (image is null)
        {
            var text = $"Failed to pull image \"{Status.Image}\": the sandbox's image table has no program for it";
            node.Events.Warning(scope.Pod, "Failed", text);
            Set(Status with { State = ContainerState.Waiting("ErrImagePull", text) });
            await Task.Delay(ConfigPause, node.Time, stopping.Token);
            Set(Status with { State = ContainerState.Waiting("ImagePullBackOff", $"Back-off pulling image \"{Status.Image}\": {text}") });
            await Task.Delay(MaxPause, node.Time, stopping.Token);
            return false;
        }

        try
        {
            var environment = ContainerEnvironment.Build(
                scope.Pod, spec, image.Environment, scope.Network.Address.ToString(), node.Network.Layout.NodeAddress.ToString(), node.Sources);
            var layer = Path.Combine(Directory, (++runs).ToString());
            plan = ContainerPlanner.Plan(
                scope.Pod, spec, image, environment, scope.Volumes.Paths, PodFileMounts(),
                new ContainerPlace(layer, node.Directories.Devices, node.HostMounts, node.Hidden));
            await StartAsync(plan);
            return true;
        }
        catch (Exception e) when (e is ContainerConfigException or IOException or System.ComponentModel.Win32Exception)
        {
            var reason = e is ContainerConfigException ? "CreateContainerConfigError" : "RunContainerError";
            node.Events.Warning(scope.Pod, "Failed", $"Error: {e.Message}");
            Set(Status with { State = ContainerState.Waiting(reason, e.Message) });
            await Task.Delay(ConfigPause, node.Time, stopping.Token);
            return false;
        }
    }

    private IEnumerable<ContainerMount> PodFileMounts() =>
        EtcFiles.Select(
            name => new ContainerMount(Path.Combine(node.Directories.PodVolatile(scope.Pod.Uid()), "etc", name), "/etc/" + name, false));

    private async Task StartAsync(ContainerPlan toStart)
    {
        foreach (var part in LayerParts)
        {
            System.IO.Directory.CreateDirectory(Path.Combine(toStart.Layer, part));
        }

        foreach (var mount in toStart.Mounts.Where(mount => !Path.Exists(mount.Source)))
        {
            // The directory that a subPath names is made on first use.
            System.IO.Directory.CreateDirectory(mount.Source);
        }

        var script = Path.Combine(toStart.Layer, "start.sh");
        await File.WriteAllTextAsync(script, StartScript.Render(toStart), stopping.Token);
        File.SetUnixFileMode(script, UnixFileMode.UserRead);
        var logs = Path.Combine(node.Directories.PodData(scope.Pod.Uid()), "logs");
        System.IO.Directory.CreateDirectory(logs);
        previousLog?.Delete();
        previousLog = log;
        log = new ContainerLog(Path.Combine(logs, $"{Name}.{Status.RestartCount}.log"), node.Time);
        var target = kind == ContainerKind.Ephemeral && spec.Text("targetContainerName") is { Length: > 0 } name
            ? scope.Find(name)?.process?.InitPid ?? throw new ContainerConfigException($"the target container {name} is not running")
            : (int?)null;
        var started = await ContainerProcess.StartAsync(
            scope.Network.Namespace, script, StartScript.StartedFile(toStart.Layer), toStart.Tty, target, stopping.Token);
        lock (gate)
        {
            killReason = null;
            process = started;
            output = new ContainerOutput(log);
        }

        if (!toStart.Stdin)
        {
            started.CloseStdin();
        }

        node.Events.Normal(scope.Pod, "Started", $"Started container {Name}");
        Set(Status with
        {
            State = new ContainerState(ContainerPhase.Running, StartedAt: node.Time.Timestamp()),
            Started = spec.At("startupProbe") is null,
            Ready = kind != ContainerKind.Init && spec.At("readinessProbe") is null && spec.At("startupProbe") is null,
        });
    }

    /// <summary>From the start to the end of the process; returns the exit code.</summary>
    private async Task<int> RunOnceAsync()
    {
        var running = process!;
        var printed = output!;
        var reading = Task.WhenAll(printed.PumpAsync("stdout", running.Stdout), printed.PumpAsync("stderr", running.Stderr));
        using var probing = new CancellationTokenSource();
        using var prober = new Prober(node.Network, scope.Network.Address, ExecForProbeAsync);
        var probes = ProbeAsync(prober, probing.Token);
        var hook = PostStartAsync();
        if (stopping.IsCancellationRequested)
        {
            // Stopped between the decision to start and the start: StopAsync may have seen no process yet.
            running.Signal(ProcessSignal.Kill);
        }

        var code = await running.Exited;
        await probing.CancelAsync();
        await probes;
        await hook;
        await reading;
        await printed.CompleteAsync();
        await running.DisposeAsync();
        DeleteLayer();
        Set(Status with
        {
            Ready = false,
            Started = false,
            State = new ContainerState(
                ContainerPhase.Terminated, code == 0 ? "Completed" : code == StartScript.SetupFailed ? "StartError" : "Error", killReason,
                Status.State.StartedAt, node.Time.Timestamp(), code),
        });
        return code;
    }

    private async Task ProbeAsync(Prober prober, CancellationToken cancellationToken)
    {
        var loop = new ProbeLoop(spec, prober, node.Time)
        {
            Started = () =>
            {
                Set(Status with { Started = true });
                StartedOnce.TrySetResult();
            },
            Ready = ready => Set(Status with { Ready = ready && Status.State.Phase == ContainerPhase.Running }),
            Unhealthy = (probe, message) => node.Events.Warning(scope.Pod, "Unhealthy", $"{probe} probe failed: {message}"),
            Failed = async (probe, message) =>
            {
                killReason = $"Container {Name} failed {probe} probe: {message}";
                using var deadline = new CancellationTokenSource(Grace(), node.Time);
                await EndAsync("Killing", $"Container {Name} failed {probe} probe, will be restarted", deadline.Token);
            },
        };
        try
        {
            await loop.RunAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The container has ended.
        }
    }

    private TimeSpan Grace() => TimeSpan.FromSeconds(Math.Max(0, scope.Pod.Number("spec", "terminationGracePeriodSeconds") ?? 30));

    private async Task PostStartAsync()
    {
        if (spec.At("lifecycle", "postStart", "exec") is { } hook)
        {
            var (code, text) = await ExecForProbeAsync([.. hook.Texts("command")], stopping.Token);
            if (code != 0 && process is { Exited.IsCompleted: false } running)
            {
                node.Events.Warning(scope.Pod, "FailedPostStartHook", $"exit code {code}: {text}");
                running.Signal(ProcessSignal.Kill);
            }
        }
    }

    private async Task EndAsync(string reason, string message, CancellationToken deadline)
    {
        if (process is not { Exited.IsCompleted: false } running)
        {
            return;
        }

        node.Events.Normal(scope.Pod, reason, message);
        try
        {
            if (spec.At("lifecycle", "preStop", "exec") is { } hook)
            {
                var (code, text) = await ExecForProbeAsync([.. hook.Texts("command")], deadline);
                if (code != 0)
                {
                    node.Events.Warning(scope.Pod, "FailedPreStopHook", $"exit code {code}: {text}");
                }
            }
            else if (spec.At("lifecycle", "preStop", "sleep") is { } sleep)
            {
                await Task.Delay(TimeSpan.FromSeconds(sleep.Number("seconds") ?? 0), node.Time, deadline);
            }

            running.Signal(ProcessSignal.Terminate);
            await running.Exited.WaitAsync(deadline);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            running.Signal(ProcessSignal.Kill);
            await running.Exited;
        }
    }

    private void DeleteLayer()
    {
        if (plan is not null)
        {
            System.IO.Directory.Delete(plan.Layer, recursive: true);
        }
    }

    private void Set(ContainerStatus status)
    {
        lock (gate)
        {
            Status = status;
        }

        if (status.State.Phase == ContainerPhase.Running && status.Started)
        {
            StartedOnce.TrySetResult();
        }

        changed();
    }
}
