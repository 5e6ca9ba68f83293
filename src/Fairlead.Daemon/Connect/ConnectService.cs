using System.Net;
using System.Runtime.CompilerServices;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Settings;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Routes;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Connect;

/// <summary>
/// What people ask of connect. There is one connection at a time, because two would need the same virtual addresses and names; it lasts until it is ended, its space is
/// left, or the daemon ends, and is not remembered. Calls are serialised.
/// </summary>
internal sealed class ConnectService(
    IHost host, IHostJournal journal, SpaceRegistry spaces, SpaceStore store, DaemonSettings settings, IConnectNames names, ServeDevice serve, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    /// <summary>How long a connect waits for a gateway that was never reached yet: a link that works needs far less.</summary>
    internal static readonly TimeSpan NetworkTimeout = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim gate = new(1, 1);
    private volatile ConnectSession? session;
    private bool disposed;

    /// <summary>Pulsed when <see cref="Describe"/> may tell something else.</summary>
    public Signal Changed { get; } = new();

    /// <summary>Key of the connected space; null while none is.</summary>
    public string? SpaceKey => session?.SpaceKey;

    public ConnectState Describe() => session is { } current
        ? new ConnectState(true, current.SpaceName, current.Device, current.Since, current.State, current.Problem)
        : new ConnectState(false, null, null, null, null, null);

    /// <summary>When it completes routes and names are in force. Asked again of the same space, the wishes are replaced by the new ones.</summary>
    /// <exception cref="FairleadException">Nothing was changed.</exception>
    public async Task<ConnectState> ConnectAsync(Space space, ConnectRequest request, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (session is { } other && other.SpaceKey != space.Key)
            {
                throw new FairleadException(ErrorCategory.Conflict, "connected-elsewhere", $"Space '{other.SpaceName}' is connected", "one space can be connected at a time", "fairlead disconnect");
            }

            await WaitForNetworkAsync(space, cancellationToken);
            if (session is { } current)
            {
                await current.ChangeAsync(request, cancellationToken);
            }
            else
            {
                session = await StartAsync(space, request, cancellationToken);
            }
        }
        catch (HostException e)
        {
            throw Refused(e);
        }
        finally
        {
            gate.Release();
            Changed.Pulse();
        }

        return Describe();
    }

    /// <returns>Whether there was a connection.</returns>
    /// <exception cref="FairleadException">Something couldn't be undone; the journal knows.</exception>
    public async Task<bool> DisconnectAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (session is not { } ending)
            {
                return false;
            }

            session = null;
            await ending.DisposeAsync();
            return true;
        }
        catch (HostException e)
        {
            throw Refused(e);
        }
        finally
        {
            gate.Release();
            Changed.Pulse();
        }
    }

    /// <summary>The plan in force, or what a connect to this space would do now.</summary>
    /// <exception cref="FairleadException"/>
    public async Task<PlanState> PlanAsync(Space space, CancellationToken cancellationToken)
    {
        if (session is { } current && current.SpaceKey == space.Key)
        {
            return current.State;
        }

        try
        {
            await WaitForNetworkAsync(space, cancellationToken);
            await using var routes = host.OpenRoutes(journal);
            return await PreviewAsync(new PlanSource(space, settings, names, store, time), routes, "asked for", cancellationToken);
        }
        catch (HostException e)
        {
            throw Refused(e);
        }
    }

    /// <summary>The same, now and whenever it changes, with what made it change.</summary>
    public async IAsyncEnumerable<PlanState> WatchPlanAsync(Space space, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PlanState? last = null;
        await using var routes = host.OpenRoutes(journal);
        var source = new PlanSource(space, settings, names, store, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hostChanged = new Signal();
        var cause = "asked for";
        var following = FollowAsync(routes, change => { cause = change.Cause; hostChanged.Pulse(); }, stop.Token);
        try
        {
            while (true)
            {
                long[] seen = [Changed.Version, spaces.Changed.Version, hostChanged.Version];
                var next = session is { } current && current.SpaceKey == space.Key ? current.State : await PreviewAsync(source, routes, cause, cancellationToken);
                cause = "settings or cluster changed";
                if (last is null || !ConnectText.IsSame(last, next))
                {
                    yield return last = next;
                }

                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await await Task.WhenAny(Changed.WaitAsync(seen[0], waiting.Token), spaces.Changed.WaitAsync(seen[1], waiting.Token), hostChanged.WaitAsync(seen[2], waiting.Token));
                await waiting.CancelAsync();
                await Task.Delay(ConnectSession.Quiet, time, cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await following;
        }
    }

    /// <summary>The space is no longer joined: its connection ends. Others stay.</summary>
    public Task LeaveAsync(string key, CancellationToken cancellationToken) => SpaceKey == key ? DisconnectAsync(cancellationToken) : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        try
        {
            disposed = true;
            if (session is { } ending)
            {
                session = null;
                await ending.DisposeAsync();
            }
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<ConnectSession> StartAsync(Space space, ConnectRequest request, CancellationToken cancellationToken)
    {
        var source = new PlanSource(space, settings, names, store, time);
        await source.ResolveExitsAsync(request, cancellationToken);
        return await ConnectSession.StartAsync(
            host, host.OpenRoutes(journal), source, spaces, names, serve, request, Changed, time, loggers.CreateLogger<ConnectSession>(), cancellationToken);
    }

    private async Task<PlanState> PreviewAsync(PlanSource source, IHostRoutes routes, string cause, CancellationToken cancellationToken) =>
        ConnectText.Describe(source.Space.Record.Name, false, time.GetUtcNow(), cause, await source.PlanAsync(new ConnectRequest(), routes, null, cancellationToken), null);

    private static async Task FollowAsync(IHostRoutes routes, Action<HostNetworkChange> changed, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in routes.WatchAsync(cancellationToken))
            {
                changed(change);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task WaitForNetworkAsync(Space space, CancellationToken cancellationToken)
    {
        try
        {
            for (var seen = space.Changed.Version; space.Network is null && space.Link.Status.State is LinkState.Connecting or LinkState.Connected && space.Hello is null; seen = space.Changed.Version)
            {
                await space.Changed.WaitAsync(seen, cancellationToken).WaitAsync(NetworkTimeout, time, cancellationToken);
            }
        }
        catch (TimeoutException)
        {
            // The plan says that the subnets are not known, and why.
        }
    }

    private static FairleadException Refused(HostException e) => e is HostDeniedException
        ? new FairleadException(ErrorCategory.Denied, "host-denied", "The daemon may not change this host's network", e.Message, e.Hint ?? "It needs root, or CAP_NET_ADMIN and /dev/net/tun.", e)
        : new FairleadException(ErrorCategory.Failed, "host", "This host refuses what the connection needs", e.Message, e.Hint ?? "Run 'fairlead doctor'.", e);
}
