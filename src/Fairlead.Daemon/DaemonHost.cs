using Fairlead.Contracts.Errors;
using Fairlead.Daemon.Recovery;
using Fairlead.Daemon.Settings;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Daemon;

/// <param name="Socket">Of the local API; null: <c>daemon.sock</c> in the host's run directory.</param>
/// <param name="Serving">Called once, when the local API answers.</param>
public sealed record DaemonOptions(string? Socket = null, Action? Serving = null);

/// <summary>The daemon, as the executable starts it.</summary>
public static class DaemonHost
{
    /// <summary>
    /// Runs until <paramref name="cancellationToken"/> is cancelled or the local API is told to shut down; every change to the host is undone by then.
    /// </summary>
    /// <exception cref="FairleadException">Another daemon runs, the host refuses something that is needed, or changes could not be undone.</exception>
    public static async Task RunAsync(DaemonOptions options, IHost host, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(host);
        try
        {
            using var journal = OpenJournal(host);
            await using var daemon = await RunningDaemon.StartAsync(options, host, journal, TimeProvider.System, cancellationToken);
            options.Serving?.Invoke();
            await daemon.WaitAsync(cancellationToken);
        }
        catch (HostException e)
        {
            throw Refused(e);
        }
    }

    /// <summary>Undoes what a killed daemon left, without a daemon.</summary>
    /// <returns>What was undone, one sentence each; empty when nothing was left.</returns>
    /// <exception cref="FairleadException">A daemon runs, or something couldn't be undone.</exception>
    public static async Task<IReadOnlyList<string>> CleanUpAsync(IHost host, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        try
        {
            using var journal = OpenJournal(host);
            var settings = new DaemonSettings(host.Paths.StateDirectory, NullLogger.Instance);
            return await HostRecovery.UndoAsync(host, journal, HostsCleaner.Ranges(settings.Range, journal.Pending), NullLogger.Instance, cancellationToken);
        }
        catch (HostException e)
        {
            throw Refused(e);
        }
    }

    private static IHostJournal OpenJournal(IHost host)
    {
        try
        {
            return host.OpenJournal();
        }
        catch (HostBusyException e)
        {
            throw new FairleadException(
                ErrorCategory.Conflict,
                "daemon-running",
                "The daemon is running already",
                e.HolderPid is { } pid ? $"process {pid} is it" : e.Message,
                "Ask it: 'fairlead status'; end it: 'fairlead stop'.",
                e);
        }
    }

    private static FairleadException Refused(HostException e) => e is HostDeniedException
        ? new FairleadException(ErrorCategory.Denied, "host-denied", "The daemon may not change this host", e.Message, e.Hint ?? "Run it as root: 'sudo fairlead start'.", e)
        : new FairleadException(ErrorCategory.Failed, "host", "The host refused what the daemon needs", e.Message, e.Hint ?? "Run 'fairlead doctor'.", e);
}
