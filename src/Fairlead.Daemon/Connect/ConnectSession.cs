using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Plan;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Routes;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Connect;

/// <summary>Carries the flows of one device until it is cancelled or the device is lost; ends without an exception.</summary>
internal delegate Task ServeDevice(ITunCapture capture, FindDestination find, CancellationToken cancellationToken);

/// <summary>
/// One connection: device, routes, names, and the tasks that keep them in step with host and cluster. Whatever it changed is undone by disposing, names first, then
/// routes, then the device, so that nobody is led to where nobody listens.
/// </summary>
internal sealed partial class ConnectSession : IAsyncDisposable
{
    /// <summary>A change of the host comes in pieces: the plan is made anew when no further one came for this long.</summary>
    internal static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(200);

    /// <summary>A host that never holds still is followed all the same.</summary>
    internal static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>A gateway that works tells the catalog anew in a fraction of it.</summary>
    private static readonly TimeSpan AddressesTimeout = TimeSpan.FromSeconds(5);

    /// <summary>After the host refused a change, or the device could not be had.</summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(5);

    private readonly IHost host;
    private readonly PlanSource source;
    private readonly SpaceRegistry spaces;
    private readonly IConnectNames names;
    private readonly ServeDevice serve;
    private readonly Signal changed;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly IHostRoutes routes;
    private readonly CancellationTokenSource stopping = new();
    private readonly Signal wanted = new();
    private readonly Signal namesWanted = new();
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly List<Task> parts = [];
    private ITunCapture? capture;
    private Task serving = Task.CompletedTask;
    private CancellationTokenSource? serves;
    private AddressTable? table;
    private long keptVersion;
    private ConnectRequest request;
    private string cause = "connected";
    private string deviceCause = "";
    private ErrorInfo? namesProblem;
    private volatile ConnectSnapshot? snapshot;
    private volatile PlanState state;

    private ConnectSession(IHost host, IHostRoutes routes, PlanSource source, SpaceRegistry spaces, IConnectNames names, ServeDevice serve, ConnectRequest request, Signal changed, TimeProvider time, ILogger logger)
    {
        (this.host, this.routes, this.source, this.spaces, this.names, this.serve) = (host, routes, source, spaces, names, serve);
        (this.request, this.changed, this.time, this.logger) = (request, changed, time, logger);
        Since = time.GetUtcNow();
        state = new PlanState(source.Space.Record.Name, false, Since, cause, [], [], null, null);
    }

    public string SpaceKey => source.Space.Key;

    public string SpaceName => source.Space.Record.Name;

    public DateTimeOffset Since { get; }

    public string? Device => capture?.Device.Name;

    public PlanState State => state;

    /// <summary>Why it does not work as planned; null when it does.</summary>
    public ErrorInfo? Problem { get; private set; }

    /// <summary>When it completes, routes and names are in force. When it fails nothing is left.</summary>
    /// <param name="changed">Pulsed whenever something that is told of it changed.</param>
    /// <exception cref="FairleadException">The plan is refused, or makes no sense.</exception>
    /// <exception cref="HostException">The host refuses.</exception>
    public static async Task<ConnectSession> StartAsync(
        IHost host, IHostRoutes routes, PlanSource source, SpaceRegistry spaces, IConnectNames names, ServeDevice serve, ConnectRequest request, Signal changed, TimeProvider time, ILogger<ConnectSession> logger, CancellationToken cancellationToken)
    {
        var session = new ConnectSession(host, routes, source, spaces, names, serve, request, changed, time, logger);
        try
        {
            // Refused before anything is changed.
            Require(await source.PlanAsync(request, routes, null, cancellationToken));
            source.Space.AskForAddresses(true);
            await session.OpenDeviceAsync(cancellationToken);
            Require(await session.ApplyAsync(request, "connected", strict: true, cancellationToken));
            await session.WaitForAddressesAsync(cancellationToken);
            await session.PublishAsync(cancellationToken);
            session.parts.AddRange([session.FollowHostAsync(), session.FollowSpaceAsync(), session.FollowNamesAsync(), session.FollowDeviceAsync(), session.KeepInStepAsync()]);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>Goes on with other wishes. When it fails, the ones before are in force.</summary>
    /// <exception cref="FairleadException">The plan is refused, or makes no sense.</exception>
    /// <exception cref="HostException">The host refuses.</exception>
    public async Task ChangeAsync(ConnectRequest next, CancellationToken cancellationToken)
    {
        await source.ResolveExitsAsync(next, cancellationToken);
        await gate.WaitAsync(cancellationToken);
        try
        {
            Require(await ApplyAsync(next, "asked for anew", strict: true, cancellationToken));
            request = next;
        }
        finally
        {
            gate.Release();
        }

        await PublishAsync(cancellationToken);
    }

    public FlowDestination? Find(IPEndPoint destination, TransportProtocol protocol) =>
        spaces.Find(SpaceKey) is { } space ? snapshot?.Find(destination, protocol, space) : null;

    /// <exception cref="HostException">Something couldn't be undone; the journal knows. All else is.</exception>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        spaces.Find(SpaceKey)?.AskForAddresses(false);
        try
        {
            await names.WithdrawAsync(CancellationToken.None);
        }
        finally
        {
            try
            {
                await routes.DisposeAsync();
            }
            finally
            {
                await CloseDeviceAsync();
                gate.Dispose();
                stopping.Dispose();
            }
        }
    }

    private static void Require(ConnectPlan plan)
    {
        if (plan.Refusal is { } refusal)
        {
            throw new FairleadException(refusal);
        }
    }

    private async Task OpenDeviceAsync(CancellationToken cancellationToken)
    {
        capture = await host.OpenTunAsync(TunOptions.Default, cancellationToken);
        serves = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        serving = serve(capture, Find, serves.Token);
    }

    private async Task CloseDeviceAsync()
    {
        if (capture is not { } closing)
        {
            return;
        }

        await serves!.CancelAsync();
        await closing.DisposeAsync();
        await serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        serves.Dispose();
        capture = null;
    }

    /// <summary>Makes the plan and, unless it is refused while that is not allowed, brings the host in step: first where flows lead, then the routes that lead them there.</summary>
    private async Task<ConnectPlan> ApplyAsync(ConnectRequest wishes, string why, bool strict, CancellationToken cancellationToken)
    {
        var plan = await source.PlanAsync(wishes, routes, capture!.Device, cancellationToken);
        if (strict && plan.Refusal is not null)
        {
            return plan;
        }

        var before = snapshot;
        table = source.TableFor(plan, table);
        snapshot = new ConnectSnapshot(plan, new AddressTranslation(plan.Translated, plan.Tabled.Select(prefix => prefix.Network), table));
        try
        {
            foreach (var step in await routes.ApplyAsync(plan.RoutesFor(capture.Device.Index), cancellationToken))
            {
                LogStep(step);
            }
        }
        catch
        {
            snapshot = before;
            throw;
        }

        Keep();
        Tell(plan, why);
        return plan;
    }

    /// <summary>What was handed out is to be the same after a restart.</summary>
    private void Keep()
    {
        keptVersion = table?.Version ?? 0;
        try
        {
            source.Keep(snapshot!.Plan, table);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotSaved(e.Message);
        }
    }

    private void Tell(ConnectPlan plan, string why)
    {
        var next = ConnectText.Describe(SpaceName, true, time.GetUtcNow(), why, plan, table);
        Problem = plan.Refusal ?? namesProblem;

        // What did not change is as old as it was.
        if (!ConnectText.IsSame(state, next))
        {
            state = next;
            LogPlanned(why, plan.Prefixes.Count);
        }

        changed.Pulse();
        namesWanted.Pulse();
    }

    /// <summary>Waits, not for ever, until the catalog was told with addresses, so that the names that are published first lead somewhere.</summary>
    private async Task WaitForAddressesAsync(CancellationToken cancellationToken)
    {
        var space = source.Space;
        if (space.Hello?.Capabilities.Contains(GatewayCapabilities.CatalogAddresses) != true)
        {
            return;
        }

        var began = time.GetTimestamp();
        for (var seen = space.Changed.Version; space.Catalog.Snapshot is not { } services || (services.Count > 0 && !services.Any(service => service.Addresses is not null || service.ExternalName is not null)); seen = space.Changed.Version)
        {
            var left = AddressesTimeout - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            await Task.WhenAny(space.Changed.WaitAsync(seen, cancellationToken), Task.Delay(left, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        if (snapshot is { } current && spaces.Find(SpaceKey) is { } space)
        {
            var problem = await names.PublishAsync(space, request, current.Translation, capture!.Device.Name, cancellationToken);
            if (problem != namesProblem)
            {
                namesProblem = problem;
                Problem = problem ?? state.Refusal;
                changed.Pulse();
            }

            if (table is { } addresses && addresses.Version != keptVersion)
            {
                await gate.WaitAsync(cancellationToken);
                try
                {
                    Keep();
                }
                finally
                {
                    gate.Release();
                }

                if (addresses.IsNearlyFull && state.Warnings.Count == 0)
                {
                    Request("virtual addresses become scarce");
                }
            }
        }
    }

    [LoggerMessage(7101, LogLevel.Information, "Planned, because: {Cause}. {Prefixes} prefixes are routed to us")]
    private partial void LogPlanned(string cause, int prefixes);

    [LoggerMessage(7102, LogLevel.Debug, "{Step}")]
    private partial void LogStep(string step);

    [LoggerMessage(7103, LogLevel.Error, "The virtual addresses can't be stored and may be others after a restart: {Reason}")]
    private partial void LogNotSaved(string reason);

    [LoggerMessage(7104, LogLevel.Error, "The connection can't be kept in step: {Reason}")]
    private partial void LogNotInStep(string reason);

    [LoggerMessage(7105, LogLevel.Warning, "The device was lost and is made anew: {Reason}")]
    private partial void LogLost(string reason);
}
