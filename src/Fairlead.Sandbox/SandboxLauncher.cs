using System.Buffers;
using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using System.Text.Json;
using Fairlead.Linux.Limits;
using Fairlead.Linux.Namespaces;
using Fairlead.Sandbox.Hosting;
using Fairlead.Sandbox.Images;
using Fairlead.Sandbox.Network;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox;

/// <param name="Server">URL of the API server; null when the sandbox is down.</param>
public sealed record SandboxStatus(bool Running, int? Pid, string Kubeconfig, string? Server);

/// <summary>Brings embedded clusters up and down. Needs root.</summary>
public static class SandboxLauncher
{
    private static readonly TimeSpan UpLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan TermLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);
    private static readonly string[] Programs = ["ip", "nft", "mount", "umount", "unshare", "nsenter", "setpriv", "setsid", "pivot_root"];

    // These mean something to overlay mounts and to shells.
    private static readonly SearchValues<char> UnsafeInPaths = SearchValues.Create(",:\\\"' \t\n");

    /// <summary>Returns when the API server answers; at once when it runs already.</summary>
    /// <exception cref="SandboxException">It cannot be brought up.</exception>
    public static async Task<SandboxStatus> UpAsync(SandboxOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(progress);
        Check(options);
        using var alone = Alone(options);
        if (GetStatus(options) is { Running: true } status)
        {
            progress.Report("the sandbox runs already");
            return status;
        }

        CheckImages(options);
        progress.Report("The sandbox is for trying and testing on one machine. Never use it in production.");
        await CleanAsync(options, keepData: true, cancellationToken);
        CheckAddress(options);
        Directory.CreateDirectory(options.StateDirectory);
        Directory.CreateDirectory(options.RunDirectory);
        await File.WriteAllTextAsync(
            Path.Combine(options.RunDirectory, "options.json"), JsonSerializer.Serialize(options, SandboxJson.Default.SandboxOptions), cancellationToken);
        progress.Report("starting the cluster");
        var serving = Launch(options);
        await using var giveUp = new ServingGuard(serving);
        var began = TimeProvider.System.GetTimestamp();
        while (!File.Exists(ReadyFile(options)))
        {
            if (serving.HasExited || TimeProvider.System.GetElapsedTime(began) > UpLimit)
            {
                var why = serving.HasExited ? "it ended while it started" : $"it was not ready within {UpLimit.TotalSeconds:0} s";
                throw new SandboxException($"The sandbox did not come up: {why}. Its log ends with:\n{LogTail(options)}", $"See {options.LogFile}");
            }

            await Task.Delay(Poll, cancellationToken);
        }

        giveUp.Release();
        return GetStatus(options);
    }

    /// <summary>Ends every pod and removes every trace: processes, namespaces, the cable, mounts, volumes and the kubeconfig.</summary>
    public static async Task DownAsync(SandboxOptions options, CancellationToken cancellationToken)
    {
        Check(options);
        using var alone = Alone(options);
        await CleanAsync(options, keepData: false, cancellationToken);
    }

    /// <summary>A fresh cluster with the same options.</summary>
    public static async Task<SandboxStatus> ResetAsync(SandboxOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        await DownAsync(options, cancellationToken);
        return await UpAsync(options, progress, cancellationToken);
    }

    public static SandboxStatus GetStatus(SandboxOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var serving = ServeProcess.Read(PidFile(options));
        var running = serving?.IsAlive == true && File.Exists(ReadyFile(options));
        return running
            ? new SandboxStatus(true, serving!.Pid, options.Kubeconfig, File.ReadAllText(ReadyFile(options)))
            : new SandboxStatus(false, null, options.Kubeconfig, null);
    }

    /// <summary>Is the cluster, until SIGTERM or the token ends it. <see cref="UpAsync"/> starts the process that calls this.</summary>
    public static async Task ServeAsync(SandboxOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (Environment.ProcessId != 1)
        {
            throw new SandboxException("This verb only works in the namespaces that `sandbox up` makes.", "fairlead sandbox up");
        }

        // For itself, and for every pod, which inherits it.
        OpenFileLimit.SetUsual();

        // Root's shells and service managers often leave sbin out.
        Environment.SetEnvironmentVariable("PATH", "/usr/sbin:/sbin:" + Environment.GetEnvironmentVariable("PATH"));
        ServeProcess.Self().Write(PidFile(options));
        var saved = JsonSerializer.Deserialize(
            await File.ReadAllTextAsync(Path.Combine(options.RunDirectory, "options.json"), cancellationToken), SandboxJson.Default.SandboxOptions)!;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
        using var loggers = LoggerFactory.Create(builder => builder.AddFilter("Microsoft", LogLevel.Warning).AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.UseUtcTimestamp = true;
        }));
        var server = $"https://{ClusterLayout.Of(saved.HostSubnet).HostAddress}:{ClusterLayout.ApiPort}";
        try
        {
            await new ClusterHost(saved, loggers, TimeProvider.System).RunAsync(() => File.WriteAllText(ReadyFile(saved), server), stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The ordinary end.
        }
        catch (Exception e) when (e is HostToolException or ImageTableException or IOException)
        {
            throw new SandboxException(e.Message);
        }
    }

    private static string PidFile(SandboxOptions options) => Path.Combine(options.RunDirectory, "pid");

    private static string ReadyFile(SandboxOptions options) => Path.Combine(options.RunDirectory, "ready");

    private static void Check(SandboxOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!Environment.IsPrivilegedProcess)
        {
            throw new SandboxException("The sandbox makes network namespaces and mounts, which takes root.", "sudo fairlead sandbox up");
        }

        var places = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/usr/sbin", "/sbin", "/usr/bin", "/bin"]).ToArray();
        var missing = Programs.Where(program => !places.Any(place => File.Exists(Path.Combine(place, program)))).ToArray();
        if (missing.Length > 0)
        {
            throw new SandboxException($"The sandbox needs programs that are not here: {string.Join(", ", missing)}.", "apt-get install iproute2 nftables util-linux mount");
        }

        if (!File.ReadAllText("/proc/filesystems").Contains("overlay") && !Directory.Exists("/sys/module/overlay")
            && !File.Exists($"/lib/modules/{File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}/modules.dep"))
        {
            throw new SandboxException("This kernel has no overlay file system, which pods get their root from.", "modprobe overlay");
        }

        foreach (var directory in new[] { options.StateDirectory, options.RunDirectory }.Where(d => !Path.IsPathRooted(d) || d.AsSpan().ContainsAny(UnsafeInPaths)))
        {
            throw new SandboxException($"\"{directory}\" cannot be a directory of the sandbox: it must be absolute, without spaces, quotes, commas and colons.");
        }

        try
        {
            ClusterLayout.Of(options.HostSubnet);
        }
        catch (FormatException e)
        {
            throw new SandboxException(e.Message);
        }
    }

    /// <summary>Held while a sandbox comes up or goes down; gone afterwards.</summary>
    private static FileStream Alone(SandboxOptions options)
    {
        try
        {
            return new FileStream(
                $"/run/{HostLink.NameOf(options.Name)}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException)
        {
            throw new SandboxException("Another command is bringing this sandbox up or down.", "Try again when it is done.");
        }
    }

    private static void CheckAddress(SandboxOptions options)
    {
        var address = ClusterLayout.Of(options.HostSubnet).HostAddress;
        var taken = NetworkInterface.GetAllNetworkInterfaces()
            .FirstOrDefault(link => link.GetIPProperties().UnicastAddresses.Any(a => a.Address.Equals(address)));
        if (taken is not null)
        {
            throw new SandboxException(
                $"The address {address} is in use on {taken.Name}: another sandbox, perhaps.", "Take another subnet, for example --subnet 198.18.4.0/30");
        }
    }

    /// <summary>Before anything is started: a table with a mistake in it is no reason to start a cluster.</summary>
    private static void CheckImages(SandboxOptions options)
    {
        try
        {
            _ = options.ImagesFile is { } file ? ImageTable.Parse(File.ReadAllText(file), new Dictionary<string, string>()) : null;
        }
        catch (Exception e) when (e is ImageTableException or IOException or UnauthorizedAccessException)
        {
            throw new SandboxException($"{options.ImagesFile} is no table of images: {e.Message}", "docs/sandbox.md shows one.");
        }
    }

    private static Process Launch(SandboxOptions options)
    {
        var serve = options.ServeCommand.Count > 0
            ? options.ServeCommand
            : [Environment.ProcessPath ?? throw new SandboxException("This process does not know its own program."), "sandbox", "serve", "--state-dir", options.StateDirectory];
        const string script = """
            umask 022
            cd /
            log=$1; shift
            exec setsid unshare --mount --propagation private --pid --fork --kill-child=SIGKILL -- "$@" </dev/null >>"$log" 2>&1
            """;
        var start = new ProcessStartInfo("/bin/sh", ["-c", script, "sh", options.LogFile, .. serve]) { UseShellExecute = false };
        return Process.Start(start) ?? throw new SandboxException("The serving process could not be started.");
    }

    private static string LogTail(SandboxOptions options) =>
        File.Exists(options.LogFile) ? string.Join('\n', File.ReadLines(options.LogFile).TakeLast(20)) : "(there is no log)";

    private static async Task CleanAsync(SandboxOptions options, bool keepData, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (ServeProcess.Read(PidFile(options)) is { IsAlive: true } serving)
        {
            ProcessSignal.Send(serving.Pid, ProcessSignal.Terminate);
            if (!await WaitAsync(() => !serving.IsAlive, TermLimit, cancellationToken))
            {
                ProcessSignal.Send(serving.Pid, ProcessSignal.Kill);
                if (!await WaitAsync(() => !serving.IsAlive, KillLimit, cancellationToken))
                {
                    throw new SandboxException($"The serving process {serving.Pid} does not end.", $"See {options.LogFile}");
                }
            }
        }

        // The kernel takes network namespaces down in the background once their last process has ended.
        var link = HostLink.NameOf(options.Name);
        if (!await WaitAsync(() => !HasLink(link), KillLimit, cancellationToken))
        {
            await HostTool.IpAsync(null, [$"link delete {link}"], cancellationToken);
        }

        // Only what the sandbox made: the directories are the user's choice and may hold other things.
        Remove(options.RunDirectory, ["pid", "pid.new", "ready", "options.json"], ["memory"]);
        Remove(options.StateDirectory, keepData ? [] : ["kubeconfig", "sandbox.log"], keepData ? ["pods"] : ["pods", "volumes"]);
    }

    private static void Remove(string directory, IEnumerable<string> files, IEnumerable<string> directories)
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        foreach (var file in files)
        {
            File.Delete(Path.Combine(directory, file));
        }

        foreach (var child in directories.Select(name => Path.Combine(directory, name)).Where(Directory.Exists))
        {
            Directory.Delete(child, recursive: true);
        }

        if (!Directory.EnumerateFileSystemEntries(directory).Any())
        {
            Directory.Delete(directory);
        }
    }

    private static bool HasLink(string name) => NetworkInterface.GetAllNetworkInterfaces().Any(link => link.Name == name);

    private static async Task<bool> WaitAsync(Func<bool> done, TimeSpan limit, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!done())
        {
            if (TimeProvider.System.GetElapsedTime(began) > limit)
            {
                return false;
            }

            await Task.Delay(Poll, cancellationToken);
        }

        return true;
    }

    /// <summary>Ends the serving process unless it came up.</summary>
    private sealed class ServingGuard(Process serving) : IAsyncDisposable
    {
        private bool released;

        internal void Release() => released = true;

        public async ValueTask DisposeAsync()
        {
            if (!released && !serving.HasExited)
            {
                serving.Kill(entireProcessTree: true);
                await serving.WaitForExitAsync();
            }

            serving.Dispose();
        }
    }
}
