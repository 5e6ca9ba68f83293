using System.Net;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Recovery;

/// <summary>Undoes what a killed daemon left on the host. Every step may be repeated, so a kill in the middle of it does no harm.</summary>
internal static partial class HostRecovery
{
    /// <param name="ranges">Where lines of ours in the hosts file may lie.</param>
    /// <returns>What was undone, one sentence each.</returns>
    /// <exception cref="HostException">Something couldn't be undone; it is still in the journal.</exception>
    public static async Task<IReadOnlyList<string>> UndoAsync(IHost host, IHostJournal journal, IReadOnlyList<IPNetwork> ranges, ILogger logger, CancellationToken cancellationToken)
    {
        var undone = new List<string>();

        // Without the journal too: it is gone after a reboot, the hosts file isn't.
        using (var file = await host.OpenFileAsync(host.Paths.HostsFile, cancellationToken))
        {
            if (await HostsCleaner.RemoveAsync(file, ranges, cancellationToken))
            {
                undone.Add($"removed our section from {host.Paths.HostsFile}");
            }
        }

        await using (var resolver = host.OpenResolver(journal))
        {
            if (await resolver.ReleaseAsync(cancellationToken))
            {
                undone.Add("brought the host's resolver back");
            }
        }

        foreach (var change in journal.Pending.OrderByDescending(change => change.Id).ToList())
        {
            if (change.Kind == HostsCleaner.Kind)
            {
                await RemoveEarlierSectionAsync(host, change, ranges, undone, cancellationToken);
            }
            else if (await host.TryUndoAsync(change, cancellationToken))
            {
                undone.Add($"undid {change.Kind} {change.Subject}");
            }
            else
            {
                // Of a later version of ours: not ours to judge, and not to be forgotten.
                LogUnknown(logger, change.Kind, change.Subject);
                continue;
            }

            journal.MarkUndone(change);
        }

        foreach (var sentence in undone)
        {
            LogUndone(logger, sentence);
        }

        return undone;
    }

    /// <summary>A daemon that ran with another hosts file left it there.</summary>
    private static async Task RemoveEarlierSectionAsync(IHost host, HostChange change, IReadOnlyList<IPNetwork> ranges, List<string> undone, CancellationToken cancellationToken)
    {
        var path = change.Subject[(change.Subject.IndexOf(' ') + 1)..];
        if (path == host.Paths.HostsFile)
        {
            return;
        }

        using var file = await host.OpenFileAsync(path, cancellationToken);
        if (await HostsCleaner.RemoveAsync(file, ranges, cancellationToken))
        {
            undone.Add($"removed our section from {path}");
        }
    }

    [LoggerMessage(6001, LogLevel.Information, "An earlier daemon was killed: {What}")]
    private static partial void LogUndone(ILogger logger, string what);

    [LoggerMessage(6002, LogLevel.Warning, "The journal names a change of a kind that this version doesn't know: {Kind} {Subject}")]
    private static partial void LogUnknown(ILogger logger, string kind, string subject);
}
