using System.CommandLine;
using Fairlead.Cli.Hosting;
using Fairlead.Cli.Local;
using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Cli.Verbs;

/// <summary>start, stop, restart, status, cleanup, and <c>daemon</c> itself.</summary>
internal sealed class DaemonVerbs(CliHost host, CommonOptions common)
{
    /// <summary>A daemon answers within a second; a loaded machine that reads its assemblies from a cold disk gets this long.</summary>
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    public IEnumerable<Command> Build()
    {
        yield return WithPaths(new Verb("start", "Start the daemon (needs root, once)", "sudo fairlead start")
            .Does(host, common, async (context, cancellationToken) => Report(context, await StartAsync(context, cancellationToken))));

        yield return WithPaths(new Verb("stop", "Undo every change to this host and stop the daemon", "fairlead stop")
            .Does(host, common, async (context, cancellationToken) =>
            {
                var was = await StopAsync(context, cancellationToken);
                Say(context, was is null ? "The daemon was not running." : $"Stopped the daemon (pid {was.Pid}); every change to this host is undone.");
            }));

        yield return WithPaths(new Verb("restart", "Stop the daemon, then start it; rules and addresses stay", "sudo fairlead restart")
            .Does(host, common, async (context, cancellationToken) =>
            {
                RequireRoot(context, "restart");
                await StopAsync(context, cancellationToken);
                Report(context, await StartAsync(context, cancellationToken));
            }));

        var status = new Verb("status", "Show the daemon, its spaces and how they are connected", "fairlead status", "fairlead status --watch", "fairlead status -o json")
            .Does(host, common, (context, cancellationToken) =>
                context.ShowAsync(LocalApi.Status, LocalJson.Default.DaemonStatus, (output, value) => StatusView.Write(output, value, host.Time.GetUtcNow()), cancellationToken));
        status.Options.Add(common.Watch);
        status.Options.Add(common.Docker);
        yield return WithPaths(status);

        yield return WithPaths(new Verb("cleanup", "Undo what a killed daemon left on this host", "sudo fairlead cleanup")
            .Does(host, common, CleanupAsync));

        yield return WithPaths(new Verb("daemon", "Be the daemon in the foreground, for a service manager", "sudo fairlead daemon")
            .Does(host, common, (context, cancellationToken) => host.Daemon().RunAsync(context.Paths, cancellationToken)));
    }

    private Verb WithPaths(Verb verb)
    {
        verb.Options.Add(common.RunDirectory);
        verb.Options.Add(common.StateDirectory);
        verb.Options.Add(common.HostsFile);
        return verb;
    }

    private async Task<(DaemonStatus Status, bool Already)> StartAsync(VerbContext context, CancellationToken cancellationToken)
    {
        if (await context.Daemon.TryGetStatusAsync(cancellationToken) is { } running)
        {
            return (running, true);
        }

        RequireRoot(context, "start");
        await using var progress = new ProgressLine(host, "Starting the daemon");
        var started = host.Daemon().Start(context.Paths);
        var since = host.Time.GetTimestamp();
        while (true)
        {
            // Asked first: a daemon that ended after its last chance to answer is found by the next round.
            var exited = started.HasExited;
            if (await context.Daemon.TryGetStatusAsync(cancellationToken) is { } status)
            {
                return (status, false);
            }

            if (exited)
            {
                throw new FairleadException(ErrorCategory.Failed, "daemon-start", "The daemon ended while it was starting", Tail(started), "fairlead doctor   (and 'sudo fairlead cleanup' if a daemon was killed before)");
            }

            if (host.Time.GetElapsedTime(since) > StartTimeout)
            {
                throw new FairleadException(ErrorCategory.TimedOut, "daemon-start", $"The daemon does not answer on {context.SocketPath} after {StartTimeout.TotalSeconds:F0} s", Tail(started), "fairlead doctor");
            }

            await Task.Delay(PollInterval, host.Time, cancellationToken);
        }
    }

    private async Task<DaemonStatus?> StopAsync(VerbContext context, CancellationToken cancellationToken)
    {
        if (await context.Daemon.TryGetStatusAsync(cancellationToken) is not { } running)
        {
            return null;
        }

        await using var progress = new ProgressLine(host, "Undoing the changes to this host");
        await context.Daemon.SendAsync("POST", LocalApi.Shutdown, cancellationToken);

        // It answers when the changes are undone; it is gone when nobody listens any more.
        var since = host.Time.GetTimestamp();
        while (await IsListeningAsync(context, cancellationToken))
        {
            if (host.Time.GetElapsedTime(since) > StartTimeout)
            {
                throw new FairleadException(ErrorCategory.TimedOut, "daemon-stop", "The daemon undid its changes but does not end", $"pid {running.Pid} still listens on {context.SocketPath}", $"sudo kill {running.Pid}, then: sudo fairlead cleanup");
            }

            await Task.Delay(PollInterval, host.Time, cancellationToken);
        }

        return running;
    }

    private static async Task<bool> IsListeningAsync(VerbContext context, CancellationToken cancellationToken)
    {
        try
        {
            return await context.Daemon.TryGetStatusAsync(cancellationToken) is not null;
        }
        catch (FairleadException e) when (e.Error.Category is ErrorCategory.Failed or ErrorCategory.NotConnected)
        {
            return true;
        }
    }

    private static async Task CleanupAsync(VerbContext context, CancellationToken cancellationToken)
    {
        if (await context.Daemon.TryGetStatusAsync(cancellationToken) is { } running)
        {
            throw new FairleadException(ErrorCategory.Conflict, "daemon-running", "There is nothing to clean up after a daemon that runs", $"pid {running.Pid} looks after its own changes", "fairlead stop   (undoes them)");
        }

        RequireRoot(context, "cleanup");
        var undone = await context.Host.Daemon().CleanupAsync(context.Paths, cancellationToken);
        context.Output.Show(new Done(undone.Count == 0 ? "nothing to undo" : "undone", undone), CliJson.Default.Done, (output, _) =>
        {
            output.Line(undone.Count == 0 ? "Nothing was left behind." : $"Undid {Humane.Plural(undone.Count, "change")}:");
            foreach (var change in undone)
            {
                output.Line("  " + change);
            }
        });
    }

    private static void RequireRoot(VerbContext context, string verb)
    {
        if (!context.Host.Daemon().IsPrivileged)
        {
            throw new FairleadException(ErrorCategory.Denied, "needs-root", $"'fairlead {verb}' needs root", "the daemon changes this host's names and network", $"sudo fairlead {verb}");
        }
    }

    private static string Tail(IStartedDaemon daemon)
    {
        var lines = daemon.LogTail(15);
        return lines.Count == 0 ? "it wrote nothing" : "its last words:\n" + string.Join('\n', lines);
    }

    private static void Report(VerbContext context, (DaemonStatus Status, bool Already) started) =>
        context.Output.Show(started.Status, LocalJson.Default.DaemonStatus, (output, status) =>
        {
            output.Line($"The daemon {(started.Already ? "is already running" : "is running")} (pid {status.Pid}, capture by {status.Capture.Method}, names by {status.Resolver}).");
            if (status.Capture.Reason is { } reason)
            {
                output.Warn($"a lesser capture is used: {reason}");
            }

            if (status.Spaces.Count == 0)
            {
                output.Note("next: fairlead join TOKEN");
            }
        });

    internal static void Say(VerbContext context, string sentence) =>
        context.Output.Show(new Done(sentence), CliJson.Default.Done, (output, done) => output.Line(done.Result));
}
