using System.Net;
using System.Security.Cryptography;
using Fairlead.Contracts.Errors;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Recovery;
using Fairlead.Platform;
using Fairlead.Platform.Files;
using Fairlead.Platform.Journal;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Consume;

/// <summary>How the hosts file fared: what others have in it, and why it could not be written, if so.</summary>
internal sealed record HostsOutcome(ForeignHosts Foreign, ErrorInfo? Problem);

/// <summary>
/// The resolver <c>hosts</c>: keeps our section of the hosts file. Owns the file's handle. When somebody changes or removes our section it is put back, but only
/// a few times, so that two programs do not fight for ever.
/// </summary>
internal sealed partial class HostsResolver : IDisposable
{
    /// <summary>Times the section is put back within <see cref="RestoreWindow"/>; enough for an editor or a network manager that rewrites the file.</summary>
    internal const int MaxRestores = 5;

    internal static readonly TimeSpan RestoreWindow = TimeSpan.FromMinutes(1);

    private readonly IHostFile file;
    private readonly IHostJournal journal;
    private readonly IReadOnlyList<IPNetwork> ranges;
    private readonly string copyPath;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Queue<long> restores = new();

    // Between a pass and the watcher: without it the watcher would take our own write, seen before the pass noted it, for somebody else's.
    private readonly SemaphoreSlim gate = new(1, 1);
    private HostChange? change;
    private bool restorePending; // asked for and not written yet: another look at the same damage is not another damage
    private byte[]? lastSeen; // SHA-256 of the file as it should be: a copy could be megabytes
    private IReadOnlyList<HostsEntry> published = [];
    private volatile string? removedBy;

    /// <param name="ranges">The loopback range first, then others that lines of ours may lie in.</param>
    /// <param name="copyPath">Where the copy of the original goes that is kept once, for repair by hand.</param>
    public HostsResolver(IHostFile file, IHostJournal journal, IReadOnlyList<IPNetwork> ranges, string copyPath, TimeProvider time, ILogger logger)
    {
        this.file = file;
        this.journal = journal;
        this.ranges = ranges;
        this.copyPath = copyPath;
        this.time = time;
        this.logger = logger;
    }

    public string Path => file.Path;

    /// <summary>Not null while another program keeps taking our section out and we gave up putting it back.</summary>
    public string? GivenUp => removedBy;

    /// <summary>What the lines of others use; none where the file can't be read.</summary>
    public async Task<ForeignHosts> ReadForeignAsync(IReadOnlySet<string> names, CancellationToken cancellationToken)
    {
        try
        {
            return HostsFile.Parse(await file.ReadAsync(cancellationToken), ranges).ReadForeign(names);
        }
        catch (HostException e)
        {
            LogUnreadable(e.Message);
            return ForeignHosts.None;
        }
    }

    /// <summary>Publishes the plan's names. Never throws for what the file is like: the outcome says.</summary>
    public async Task<HostsOutcome> ApplyAsync(ConsumePlan plan, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            return await WriteAsync(plan, cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<HostsOutcome> WriteAsync(ConsumePlan plan, CancellationToken cancellationToken)
    {
        restorePending = false;
        var candidates = plan.Selection.Names;
        var foreign = ForeignHosts.None;
        IReadOnlyList<HostsEntry> entries = [];
        byte[] result = [];
        try
        {
            if (candidates.Count > 0)
            {
                await PrepareAsync(cancellationToken);
            }

            await file.UpdateAsync(
                content =>
                {
                    var hosts = HostsFile.Parse(content, ranges);
                    foreign = hosts.ReadForeign(candidates);
                    entries = plan.Entries(foreign);
                    return result = hosts.With(entries);
                },
                cancellationToken);
            lastSeen = SHA256.HashData(result);
            published = entries;
            removedBy = null;
            if (entries.Count == 0)
            {
                MarkUndone();
            }

            return new HostsOutcome(foreign, null);
        }
        catch (Exception e) when (e is HostException or IOException or UnauthorizedAccessException)
        {
            LogUnwritable(e.Message);
            return new HostsOutcome(foreign, new ErrorInfo(
                ErrorCategory.Failed,
                "hosts-file",
                $"The names can't be written to {file.Path}",
                e.Message,
                (e as HostException)?.Hint ?? "The services are captured; their names appear as soon as the file can be written."));
        }
    }

    /// <summary>How many lines of ours the file really holds.</summary>
    /// <exception cref="HostException">It can't be read.</exception>
    public async Task<int> CountPublishedAsync(CancellationToken cancellationToken) =>
        HostsFile.Parse(await file.ReadAsync(cancellationToken), ranges).EntryCount;

    /// <summary>Calls <paramref name="changed"/> when somebody else changed the file in a way that concerns us. Ends by cancellation only.</summary>
    public async Task WatchAsync(Action changed, CancellationToken cancellationToken)
    {
        await foreach (var _ in file.WatchAsync(cancellationToken))
        {
            await gate.WaitAsync(cancellationToken);
            try
            {
                if (await ConcernsUsAsync(cancellationToken))
                {
                    changed();
                }
            }
            finally
            {
                gate.Release();
            }
        }
    }

    private async Task<bool> ConcernsUsAsync(CancellationToken cancellationToken)
    {
        try
        {
            var content = await file.ReadAsync(cancellationToken);
            if (lastSeen is { } seen && SHA256.HashData(content.Span).AsSpan().SequenceEqual(seen))
            {
                return false;
            }

            // Our lines are as they were: the names of others may have changed. Else they are put back, a few times.
            return content.Span.SequenceEqual(HostsFile.Parse(content, ranges).With(published)) || MayRestore();
        }
        catch (HostException e)
        {
            LogUnreadable(e.Message);
            return true;
        }
    }

    /// <summary>Takes our section out.</summary>
    /// <exception cref="HostException">It couldn't be; the journal still says that it is there.</exception>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await HostsCleaner.RemoveAsync(file, ranges, cancellationToken);
        published = [];
        MarkUndone();
    }

    public void Dispose()
    {
        file.Dispose();
        gate.Dispose();
    }

    private bool MayRestore()
    {
        if (restorePending)
        {
            return true;
        }

        var now = time.GetTimestamp();
        while (restores.TryPeek(out var oldest) && time.GetElapsedTime(oldest, now) > RestoreWindow)
        {
            restores.Dequeue();
        }

        if (restores.Count >= MaxRestores)
        {
            if (removedBy is null)
            {
                LogGivenUp(file.Path, MaxRestores);
            }

            removedBy = $"Another program changed or removed Fairlead's section of {file.Path} {MaxRestores} times within a minute; it is put back with the next change of what is consumed";
            return false;
        }

        restores.Enqueue(now);
        restorePending = true;
        removedBy = null;
        LogRestored(file.Path);
        return true;
    }

    /// <summary>Before the first change: the journal, and the copy of the original.</summary>
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (change is not null)
        {
            return;
        }

        if (!File.Exists(copyPath))
        {
            var original = HostsFile.Parse(await file.ReadAsync(cancellationToken), ranges).Without();
            PrivateFile.Write(copyPath, original);
        }

        change = journal.Record(HostsCleaner.Kind, HostsCleaner.Subject(file.Path, ranges[0]));
    }

    private void MarkUndone()
    {
        if (change is { } done)
        {
            journal.MarkUndone(done);
            change = null;
        }
    }

    [LoggerMessage(2001, LogLevel.Warning, "The hosts file can't be read: {Reason}")]
    private partial void LogUnreadable(string reason);

    [LoggerMessage(2002, LogLevel.Error, "The hosts file can't be written: {Reason}")]
    private partial void LogUnwritable(string reason);

    [LoggerMessage(2003, LogLevel.Warning, "Somebody changed or removed our section of {Path}; it is put back")]
    private partial void LogRestored(string path);

    [LoggerMessage(2004, LogLevel.Error, "Somebody changed or removed our section of {Path} more than {Times} times within a minute; it stays as it is until the next change")]
    private partial void LogGivenUp(string path, int times);
}
