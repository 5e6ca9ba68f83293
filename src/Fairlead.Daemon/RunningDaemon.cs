using System.Collections.Frozen;
using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Api;
using Fairlead.Daemon.Companions;
using Fairlead.Daemon.Connect;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Recovery;
using Fairlead.Daemon.Settings;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;
using Fairlead.Platform.Resolver;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon;

/// <summary>
/// All parts of a daemon, composed: starts them in the order in which they need each other, and ends them the other way round, names first, so that
/// nobody is led to an address where nothing listens any more. Owns everything but the journal.
/// </summary>
internal sealed partial class RunningDaemon : IAsyncDisposable
{
    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim undoGate = new(1, 1);
    private readonly DaemonLog log;
    private readonly ILoggerFactory loggers;
    private readonly ILogger logger;
    private readonly ILoopbackCapture capture;
    private readonly HostsResolver hosts;
    private readonly IHostResolver hostResolver;
    private readonly NameServer nameServer;
    private readonly ConsumeNames names;
    private readonly DaemonSettings settings;
    private readonly CompanionRegistry companions;
    private readonly SpaceRegistry spaces;
    private readonly ConsumePipeline pipeline;
    private readonly TcpFlows tcp;
    private readonly DatagramFlows datagrams;
    private readonly List<Task> parts = [];
    private Task passes = Task.CompletedTask;
    private ConnectService? connect;
    private LocalApiServer? api;
    private CarrierListener? carriers;
    private bool undone;

    private RunningDaemon(DaemonLog log, ILoggerFactory loggers, CaptureSelection selection, HostsResolver hosts, IHostResolver hostResolver, NameServer nameServer, DaemonSettings settings, SpaceStore store, AddressBook book, CompanionRegistry companions, ILinks links, TimeProvider time)
    {
        this.log = log;
        this.loggers = loggers;
        this.hosts = hosts;
        this.hostResolver = hostResolver;
        this.nameServer = nameServer;
        this.settings = settings;
        this.companions = companions;
        logger = loggers.CreateLogger<RunningDaemon>();
        capture = selection.Capture;
        spaces = new SpaceRegistry(store, links, companions, book, time, loggers);
        names = new ConsumeNames(hosts, nameServer, ReadNameSettings, DnsOf, book.Range);
        pipeline = new ConsumePipeline(spaces, book, capture, names, time, loggers.CreateLogger<ConsumePipeline>());
        tcp = new TcpFlows(new LoopbackConnections(capture), FindDestination, time, loggers.CreateLogger<TcpFlows>());
        datagrams = new DatagramFlows(capture, FindDestination, time, loggers.CreateLogger<DatagramFlows>());
    }

    /// <exception cref="HostException">The host refuses what is needed; nothing is left on it.</exception>
    public static Task<RunningDaemon> StartAsync(DaemonOptions options, IHost host, IHostJournal journal, TimeProvider time, CancellationToken cancellationToken) =>
        StartAsync(options, host, journal, (factory, companions) => new TunnelLinks(factory, companions, time), time, cancellationToken);

    /// <param name="links">Makes what reaches gateways.</param>
    internal static async Task<RunningDaemon> StartAsync(
        DaemonOptions options, IHost host, IHostJournal journal, Func<ILoggerFactory, ICompanions, ILinks> links, TimeProvider time, CancellationToken cancellationToken)
    {
        var records = new DaemonLog(host.Paths.StateDirectory, time);
        var factory = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Trace).AddProvider(records));
        try
        {
            var settings = new DaemonSettings(host.Paths.StateDirectory, factory.CreateLogger<DaemonSettings>());
            records.Level = settings.Level;
            settings.Changed += _ => records.Level = settings.Level;
            var companions = new CompanionRegistry(time, factory.CreateLogger<CompanionRegistry>());
            return await StartAsync(options, host, journal, settings, records, factory, companions, links(factory, companions), time, cancellationToken);
        }
        catch
        {
            factory.Dispose();
            records.Dispose();
            throw;
        }
    }

    /// <summary>Ends when asked to by the local API or by <paramref name="cancellationToken"/>.</summary>
    /// <exception cref="Exception">A part failed, which is a defect.</exception>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = cancellationToken.Register(() => cancelled.TrySetResult());
        await await Task.WhenAny([stopRequested.Task, cancelled.Task, .. parts]);
        await UndoAsync();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await UndoAsync();
        }
        catch (HostException e)
        {
            LogNotUndone(e.Message);
        }

        if (api is not null)
        {
            await api.DisposeAsync();
        }

        if (carriers is not null)
        {
            await carriers.DisposeAsync();
        }

        await spaces.DisposeAsync();
        hosts.Dispose();
        await nameServer.DisposeAsync();
        stopping.Dispose();
        undoGate.Dispose();
        LogStopped();
        loggers.Dispose();
        log.Dispose();
    }

    private static async Task<RunningDaemon> StartAsync(
        DaemonOptions options, IHost host, IHostJournal journal, DaemonSettings settings, DaemonLog log, ILoggerFactory loggers, CompanionRegistry companions, ILinks links, TimeProvider time, CancellationToken cancellationToken)
    {
        var logger = loggers.CreateLogger<RunningDaemon>();
        LogOpenFiles(logger, host.RaiseOpenFileLimit());
        var ranges = HostsCleaner.Ranges(settings.Range, journal.Pending);
        await HostRecovery.UndoAsync(host, journal, ranges, loggers.CreateLogger(nameof(HostRecovery)), cancellationToken);
        var store = new SpaceStore(host.Paths.StateDirectory, loggers.CreateLogger<SpaceStore>());
        var selection = await host.OpenCaptureAsync(new CaptureOptions(settings.Range, settings.Way), journal, cancellationToken);
        RunningDaemon daemon;
        try
        {
            var resolver = new HostsResolver(
                await host.OpenFileAsync(host.Paths.HostsFile, cancellationToken),
                journal,
                ranges,
                Path.Combine(host.Paths.StateDirectory, "hosts.original"),
                time,
                loggers.CreateLogger<HostsResolver>());
            var hostResolver = host.OpenResolver(journal);
            var nameServer = new NameServer(hostResolver, new IPEndPoint(AddressBook.ServerOf(settings.Range), NameServer.Port), time, loggers.CreateLogger<NameServer>(),
                (socket, room, answer, unsent, stop) => host.ServeDatagramsAsync(socket, room, answer.Invoke, unsent, stop));
            daemon = new RunningDaemon(log, loggers, selection, resolver, hostResolver, nameServer, settings, store, new AddressBook(settings.Range), companions, links, time);
        }
        catch
        {
            await selection.Capture.DisposeAsync();
            throw;
        }

        try
        {
            daemon.StartParts();
            daemon.connect = new ConnectService(host, journal, daemon.spaces, store, settings, new ConnectNames(daemon.nameServer, daemon.hostResolver, daemon.spaces, daemon.ReadNameSettings), (device, find, stop) => new TunFlows(device, find, time, loggers).RunAsync(stop), time, loggers);
            await daemon.StartApiAsync(options, host, journal, settings, Describe(selection), time, cancellationToken);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    private static CaptureStatus Describe(CaptureSelection selection) => new(
        selection.Capture.Way switch
        {
            CaptureWay.SkLookup => "sk_lookup",
            CaptureWay.NftRedirect => "nftables",
            _ => "listeners",
        },
        selection.Rejected.Count == 0 ? null : string.Join("; ", selection.Rejected.Select(rejection => rejection.Reason)));

    private void StartParts()
    {
        spaces.Load();
        passes = pipeline.RunAsync(stopping.Token);
        parts.Add(passes);
        parts.Add(FollowSpacesAsync());
        parts.Add(FollowHostsFileAsync());
        parts.Add(tcp.RunAsync(stopping.Token));
        parts.Add(datagrams.RunAsync(stopping.Token));
    }

    private async Task StartApiAsync(DaemonOptions options, IHost host, IHostJournal journal, DaemonSettings settings, CaptureStatus captureStatus, TimeProvider time, CancellationToken cancellationToken)
    {
        var endpoints = new LocalApiEndpoints(
            new DaemonIdentity(Environment.ProcessId, time.GetUtcNow(), captureStatus),
            spaces,
            new ConsumeService(spaces, pipeline, time),
            pipeline.Applied,
            new ConnectEndpoints(connect!, spaces, time, stopping.Token),
            settings,
            new Doctor(captureStatus, hosts, nameServer, pipeline, tcp, datagrams, new ReachCheck(pipeline, time), new NetworkExamination(host, journal, connect!), time),
            log,
            ShutDownAsync,
            time,
            stopping.Token);
        var socket = options.Socket ?? Path.Combine(host.Paths.RunDirectory, Path.GetFileName(LocalApi.DefaultSocket));
        api = await LocalApiServer.StartAsync(socket, host.Peers, endpoints, new CompanionEndpoints(companions, spaces, stopping.Token), log, cancellationToken);
        carriers = new CarrierListener(CompanionApi.CarrierSocketOf(socket), host.Peers, companions, time, loggers.CreateLogger<CarrierListener>());
        LogStarted(ProductVersion.Text, socket, captureStatus.Method);
    }

    private FlowDestination? FindDestination(IPEndPoint destination, TransportProtocol protocol) =>
        pipeline.FindRoute(destination.Address) is { } route && route.Allows(destination.Port) && spaces.Find(route.Space) is { } space
            ? new FlowDestination(space.Link, new FlowTarget(protocol, route.Host, destination.Port), space.Counters, space.Troubles)
            : null;

    private NameSettings ReadNameSettings() => NameSettings.Read(settings, spaces.InUse?.GatewaySettings ?? FrozenDictionary<string, string>.Empty);

    /// <summary>The DNS of a joined space; null: of the one in use.</summary>
    private SpaceDns? DnsOf(string? key) => (key is null ? spaces.InUse : spaces.Find(key)) is { } space ? new SpaceDns(space, address => address) : null;

    /// <summary>Asks for a pass when what the plan is made from changed; links come and go without one.</summary>
    private async Task FollowSpacesAsync()
    {
        try
        {
            IReadOnlyList<PlanSpace> last = [];
            NameSettings? wishes = null;
            while (true)
            {
                var seen = spaces.Changed.Version;
                var planned = spaces.Plan();
                var wished = ReadNameSettings();
                if (!planned.SequenceEqual(last) || wished != wishes)
                {
                    (last, wishes) = (planned, wished);
                    pipeline.Request();
                }

                await spaces.Changed.WaitAsync(seen, stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task FollowHostsFileAsync()
    {
        try
        {
            await hosts.WatchAsync(pipeline.Request, stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task ShutDownAsync()
    {
        try
        {
            await UndoAsync();
        }
        finally
        {
            stopRequested.TrySetResult();
        }
    }

    /// <summary>Ends the parts and undoes every change to the host; later calls find it done.</summary>
    /// <exception cref="HostException">The hosts file couldn't be restored; the journal and the next start know.</exception>
    private async Task UndoAsync()
    {
        await undoGate.WaitAsync();
        try
        {
            if (undone)
            {
                return;
            }

            undone = true;
            await stopping.CancelAsync();
            try
            {
                await (connect?.DisposeAsync() ?? ValueTask.CompletedTask);
            }
            finally
            {
                await UndoConsumeAsync();
            }
        }
        finally
        {
            undoGate.Release();
        }
    }

    private async Task UndoConsumeAsync()
    {
        try
        {
            // A pass that is under way must not write the section again.
            await passes.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await names.RemoveAsync(CancellationToken.None);
        }
        finally
        {
            await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await capture.DisposeAsync();
        }
    }

    [LoggerMessage(1101, LogLevel.Information, "Fairlead {Version} listens on {Socket} and captures by {Capture}")]
    private partial void LogStarted(string version, string socket, string capture);

    [LoggerMessage(1102, LogLevel.Information, "Stopped")]
    private partial void LogStopped();

    [LoggerMessage(1104, LogLevel.Information, "Up to {Files} files may be open, two for each flow")]
    private static partial void LogOpenFiles(ILogger logger, ulong files);

    [LoggerMessage(1103, LogLevel.Error, "Not every change to the host could be undone; 'fairlead cleanup' tries again: {Reason}")]
    private partial void LogNotUndone(string reason);
}
