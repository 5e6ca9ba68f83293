using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fairlead.Linux.Files;
using Fairlead.Linux.Routes;
using Fairlead.Linux.Sockets;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Resolver;

namespace Fairlead.Linux.Resolver;

/// <summary>
/// The way to names on Linux: systemd-resolved where programs ask it, else resolv.conf, and both where some programs ask the one and some the other. See
/// docs/adr/0006-taking-over-the-resolver.md.
/// </summary>
internal sealed class LinuxResolver(LinuxHostPaths paths, IHostJournal journal, TimeProvider time) : IHostResolver
{
    /// <summary>Times within <see cref="PutBackWindow"/> that resolv.conf is taken again from somebody who rewrote it.</summary>
    internal const int MaxPutBacks = 3;

    internal static readonly TimeSpan PutBackWindow = TimeSpan.FromMinutes(1);

    private const int DnsPort = 53;
    private const string NameServiceSwitch = "/etc/nsswitch.conf";
    private const string NscdSocket = "/run/nscd/socket";
    private static readonly TimeSpan NscdTimeout = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Resolved resolved = new();
    private readonly ResolvConfFile file = new(paths.ResolvConf, paths);
    private readonly Queue<long> putBacks = new();
    private HostChange? change;
    private ResolverClaim? givenUp;

    /// <summary>Of the claim; what leads to us is nobody to ask.</summary>
    private volatile IPAddress? server;

    private bool disposed;

    public async Task<ResolverState> ReadAsync(CancellationToken cancellationToken)
    {
        var (original, meaning, _) = await file.ReadAsync(cancellationToken);
        var owner = OwnerOf(meaning, out _);
        var origin = original.Kind switch
        {
            OriginalKind.Link => $"{file.Path}, a link to {original.Target}",
            OriginalKind.Missing => $"nobody ({file.Path} is missing)",
            _ => file.Path,
        };
        if (owner == ResolverOwner.SystemdResolved)
        {
            return new ResolverState(owner, "systemd-resolved", await ReadUplinksAsync(cancellationToken), meaning.Search);
        }

        var servers = EndPoints(meaning.Servers);
        var local = servers.FirstOrDefault(endPoint => IPAddress.IsLoopback(endPoint.Address));
        var holder = local is null ? null : PortHolder.Find(local.Address, DnsPort, CaptureProtocol.Udp);
        return new ResolverState(
            owner,
            origin + (meaning.Writer is { } writer ? $", written by {writer}" : "") + (holder is null ? "" : $"; {local!.Address} is {holder}"),
            servers,
            meaning.Search);
    }

    public async Task<ResolverOutcome> ClaimAsync(ResolverClaim claim, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(claim);
        await gate.WaitAsync(cancellationToken);
        try
        {
            server = claim.Server;
            var (_, meaning, _) = await file.ReadAsync(cancellationToken);
            OwnerOf(meaning, out var needs);
            if (needs.Resolved)
            {
                await resolved.ClaimAsync(claim, cancellationToken);
            }
            else
            {
                await resolved.ReleaseAsync(cancellationToken);
            }

            if (needs.File)
            {
                return await ClaimFileAsync(claim, cancellationToken);
            }

            await LeaveFileAsync(cancellationToken);
            return ResolverOutcome.Claimed;
        }
        finally
        {
            gate.Release();
        }
    }

    public async Task<bool> ReleaseAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            return await ReleaseLockedAsync(cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    public async Task ForgetAnswersAsync(CancellationToken cancellationToken)
    {
        // systemd-resolved keeps no denial that has no SOA record, and nothing of a link that it didn't have before.
        if (File.Exists(NscdSocket))
        {
            // It fails where nscd was killed and left its socket: then nothing is kept either.
            await HostProgram.RunAsync("nscd", ["--invalidate=hosts"], NscdTimeout, cancellationToken);
        }
    }

    public async IAsyncEnumerable<ResolverChange> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // One slot: a change that nobody has fetched yet stands for those after it.
        var changes = Channel.CreateBounded<ResolverChange>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watches = new Dictionary<string, Task>();
        var link = WatchLinkAsync(changes.Writer, ending.Token);
        try
        {
            while (true)
            {
                // Which files matter changes with them. A watch is not taken away again: it tells too much at worst.
                var isNew = false;
                foreach (var path in await WatchedAsync(cancellationToken))
                {
                    // One that ended (its directory went away, say) begins anew with the next change of another.
                    if (!watches.TryGetValue(path, out var watch) || watch.IsCompleted)
                    {
                        isNew |= watch is null;
                        watches[path] = WatchFileAsync(path, changes.Writer, ending.Token);
                    }
                }

                yield return isNew ? new ResolverChange("the resolver's files are followed") : await changes.Reader.ReadAsync(cancellationToken);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll([link, .. watches.Values]);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        if (disposed)
        {
            gate.Release();
            return;
        }

        disposed = true;
        try
        {
            await ReleaseLockedAsync(CancellationToken.None);
        }
        finally
        {
            resolved.Dispose();
            gate.Release();
        }
    }

    /// <summary>Undoes <see cref="ResolvConfFile.JournalKind"/>.</summary>
    public static Task UndoAsync(LinuxHostPaths paths, string path, CancellationToken cancellationToken) => new ResolvConfFile(path, paths).RestoreAsync(cancellationToken);

    private async Task<ResolverOutcome> ClaimFileAsync(ResolverClaim claim, CancellationToken cancellationToken)
    {
        var (_, _, current) = await file.ReadAsync(cancellationToken);
        var isOurs = current is { } content && ClaimedResolvConf.FindOriginal(content, _ => ReadOnlyMemory<byte>.Empty) is not null;
        if (!isOurs && change is not null && !MayPutBack(claim))
        {
            givenUp = claim;
            return new ResolverOutcome($"another program rewrote {file.Path} {MaxPutBacks} times within a minute, and has it now", "Let that program use the server " + claim.Server + ", or tell it to leave the file alone.");
        }

        change ??= journal.Record(ResolvConfFile.JournalKind, file.Path);
        await file.ClaimAsync(claim, cancellationToken);
        givenUp = null;
        return ResolverOutcome.Claimed;
    }

    private async Task<bool> LeaveFileAsync(CancellationToken cancellationToken)
    {
        var restored = await file.RestoreAsync(cancellationToken);
        if (change is not null)
        {
            journal.MarkUndone(change);
            change = null;
        }

        return restored;
    }

    private async Task<bool> ReleaseLockedAsync(CancellationToken cancellationToken)
    {
        var hadClaim = server is not null;
        try
        {
            await resolved.ReleaseAsync(cancellationToken);
        }
        finally
        {
            hadClaim |= await LeaveFileAsync(cancellationToken);
            server = null;
        }

        return hadClaim;
    }

    /// <summary>A claim that differs from the one that was given up may try again.</summary>
    private bool MayPutBack(ResolverClaim claim)
    {
        var now = time.GetTimestamp();
        while (putBacks.TryPeek(out var oldest) && time.GetElapsedTime(oldest, now) > PutBackWindow)
        {
            putBacks.Dequeue();
        }

        if (givenUp is not null && givenUp != claim)
        {
            putBacks.Clear();
        }

        if (putBacks.Count >= MaxPutBacks)
        {
            return false;
        }

        putBacks.Enqueue(now);
        return true;
    }

    /// <param name="needs">Which of the two must lead to us.</param>
    private static ResolverOwner OwnerOf(ResolvConf meaning, out (bool Resolved, bool File) needs)
    {
        var isRunning = Resolved.IsRunning();
        var byStub = isRunning && meaning.Servers.Count > 0 && meaning.Servers.All(Resolved.IsStub);
        var byModule = isRunning && File.Exists(NameServiceSwitch) && Resolved.IsInNameServiceSwitch(File.ReadLines(NameServiceSwitch));
        needs = (byStub || byModule, !byStub);
        return byStub || byModule ? ResolverOwner.SystemdResolved : ResolverOwner.ResolvConf;
    }

    private async Task<IReadOnlyList<IPEndPoint>> ReadUplinksAsync(CancellationToken cancellationToken)
    {
        try
        {
            return EndPoints(ResolvConf.Parse(await File.ReadAllBytesAsync(Resolved.UplinkFile, cancellationToken)).Servers);
        }
        catch (IOException)
        {
            // resolved has just been started, or knows no server.
            return [];
        }
    }

    private IReadOnlyList<IPEndPoint> EndPoints(IEnumerable<IPAddress> servers) =>
        [.. servers.Where(address => !address.Equals(server) && !(Resolved.IsStub(address) && Resolved.IsRunning())).Select(address => new IPEndPoint(address, DnsPort))];

    private async Task<IReadOnlyList<string>> WatchedAsync(CancellationToken cancellationToken)
    {
        List<string> watched = [file.Path];
        try
        {
            var (original, _, _) = await file.ReadAsync(cancellationToken);
            if (file.FollowedTarget(original) is { } target)
            {
                watched.Add(target);
            }
        }
        catch (HostException)
        {
            // It can't be read now; when that changes, the watch on it tells.
        }

        // Also when resolved isn't there yet: its directory is made when it starts.
        watched.Add(Resolved.UplinkFile);
        return [.. watched.Distinct().Where(path => Directory.Exists(Path.GetDirectoryName(path)))];
    }

    private async Task WatchLinkAsync(ChannelWriter<ResolverChange> changes, CancellationToken cancellationToken)
    {
        try
        {
            using var watch = RouteWatch.Open(0, _ => null);
            await foreach (var _ in watch.RunAsync(cancellationToken))
            {
                if (resolved.HasLostLink)
                {
                    changes.TryWrite(new ResolverChange($"the network link {DnsLink.DefaultName} was deleted"));
                }
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private static async Task WatchFileAsync(string path, ChannelWriter<ResolverChange> changes, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var _ in FileWatch.RunAsync(path, cancellationToken))
            {
                changes.TryWrite(new ResolverChange($"{path} was rewritten"));
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
        catch (HostException)
        {
            // Its directory went away just now: nothing of it can change.
            return;
        }
    }
}
