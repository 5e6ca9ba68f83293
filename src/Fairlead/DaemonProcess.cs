using System.Diagnostics;
using System.Runtime.CompilerServices;
using Fairlead.Cli.Hosting;
using Fairlead.Daemon;
using Fairlead.Linux;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Tls;

namespace Fairlead;

/// <summary>This program as the daemon.</summary>
internal sealed class DaemonProcess : IDaemonProcess
{
    private const string DefaultRunDirectory = "/run/fairlead";

    public bool IsPrivileged => Environment.IsPrivilegedProcess;

    public IStartedDaemon Start(DaemonPaths paths)
    {
        var run = paths.RunDirectory ?? DefaultRunDirectory;
        var log = Path.Combine(run, "daemon.log");
        DetachedProcess.MakeDirectory(run, "sudo fairlead start");
        List<string> arguments = ["daemon"];
        Add(arguments, "--run-dir", paths.RunDirectory);
        Add(arguments, "--state-dir", paths.StateDirectory);
        Add(arguments, "--hosts-file", paths.HostsFile);
        return new Started(DetachedProcess.Start(log, arguments), log);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public Task RunAsync(DaemonPaths paths, CancellationToken cancellationToken)
    {
        SocketThreads.CompleteInline();
        TlsBuffers.ReleaseWhenIdle();
        return DaemonHost.RunAsync(new DaemonOptions(paths.Socket, static () => ServiceManager.TellReady(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"))), HostOf(paths), cancellationToken);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public Task<IReadOnlyList<string>> CleanupAsync(DaemonPaths paths, CancellationToken cancellationToken) => DaemonHost.CleanUpAsync(HostOf(paths), cancellationToken);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static LinuxHost HostOf(DaemonPaths paths)
    {
        var standard = new LinuxHostPaths();
        return new LinuxHost(standard with
        {
            RunDirectory = paths.RunDirectory is { } run ? Path.GetFullPath(run) : standard.RunDirectory,
            StateDirectory = paths.StateDirectory is { } state ? Path.GetFullPath(state) : standard.StateDirectory,
            HostsFile = paths.HostsFile is { } hosts ? Path.GetFullPath(hosts) : standard.HostsFile,
        });
    }

    /// <summary>Absolute, because the daemon changes to the root directory.</summary>
    private static void Add(List<string> arguments, string option, string? path)
    {
        if (path is not null)
        {
            arguments.Add(option);
            arguments.Add(Path.GetFullPath(path));
        }
    }

    private sealed class Started(Process process, string log) : IStartedDaemon
    {
        public bool HasExited => process.HasExited;

        public IReadOnlyList<string> LogTail(int lines)
        {
            try
            {
                return File.ReadLines(log).TakeLast(lines).ToArray();
            }
            catch (IOException e)
            {
                return [$"(its log {log} can't be read: {e.Message})"];
            }
        }
    }
}
