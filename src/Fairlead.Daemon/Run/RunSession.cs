using System.Net;
using System.Net.Sockets;
using System.Text;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Flows;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Spaces;
using Fairlead.Dns;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Server;
using Fairlead.Dns.Zones;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Resolver;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Run;

/// <summary>
/// Carries one private network: what its command connects to is dialled from this side, where the cluster, the internet and the VPN are as on the host itself.
/// Changes nothing on the host. Owns what it is given to serve, not the spaces.
/// </summary>
public sealed partial class RunSession : IAsyncDisposable
{
    /// <summary>A person waits; a gateway that is up answers within a second.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly OwnSpaces spaces;
    private readonly RunOptions options;
    private readonly RuleSet rules;
    private readonly Space space;
    private readonly SpaceDns cluster;
    private readonly IHostResolver resolver;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly HostOpener host = new();
    private readonly FlowCounters hostCounters = new();
    private readonly Forwarder forwarder;
    private readonly CancellationTokenSource stopping = new();
    private readonly List<Task> parts = [];
    private ConsumeSelection selection = ConsumeSelection.Nothing;
    private volatile RunView view = RunView.Nothing;
    private volatile Zone zone = Zone.Empty;
    private DnsServer? server;
    private ITunCapture? capture;

    private RunSession(OwnSpaces spaces, RunOptions options, RuleSet rules, Space space, IHostResolver resolver, TimeProvider time)
    {
        this.spaces = spaces;
        this.options = options;
        this.rules = rules;
        this.space = space;
        this.resolver = resolver;
        this.time = time;
        logger = spaces.Loggers.CreateLogger<RunSession>();
        cluster = new SpaceDns(space, address => options.IsWhole ? address : null);
        forwarder = new Forwarder(new ForwarderOptions { Time = time });
    }

    /// <summary>What a person should know before the command runs.</summary>
    public IReadOnlyList<string> Warnings { get; private set; } = [];

    /// <summary>Connects to the space.</summary>
    /// <param name="spaces">Of the user.</param>
    /// <param name="resolver">How this host resolves names; only read. Owned from here on.</param>
    /// <exception cref="FairleadException">There is no such space, it can't be reached, or a rule makes no sense.</exception>
    public static async Task<RunSession> OpenAsync(OwnSpaces spaces, RunOptions options, IHostResolver resolver, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spaces);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(resolver);
        try
        {
            var rules = RuleSet.Parse(options.Consume);
            var space = await spaces.ConnectAsync(options.Space, options.IsWhole, Patience, time, cancellationToken);
            if (options.IsWhole && space.Network is null)
            {
                throw new FairleadException(
                    ErrorCategory.Failed,
                    "network-unknown",
                    $"The gateway of space {space.Record.Name} doesn't say which subnets its cluster has",
                    space.Hello?.ProductVersion is { } version ? $"it is of version {version}" : null,
                    "Name the services: fairlead run --consume 'NAMESPACE/*' -- COMMAND");
            }

            var session = new RunSession(spaces, options, rules, space, resolver, time);
            session.Look();
            return session;
        }
        catch
        {
            await resolver.DisposeAsync();
            throw;
        }
    }

    /// <summary>The host's files as the command shall see them: names come from the DNS server inside, and what the daemon put into the hosts file leads nowhere there.</summary>
    /// <param name="hosts">The host's own file.</param>
    /// <param name="dns">Where the DNS server listens.</param>
    /// <exception cref="HostException">The host's resolver can't be read.</exception>
    public async Task<RunFiles> DescribeFilesAsync(byte[] hosts, IPAddress dns, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(hosts);
        var state = await resolver.ReadAsync(cancellationToken);
        forwarder.Servers = state.Servers;
        var search = view.Names.Search.Concat(state.Search).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        var text = new StringBuilder()
            .AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"# fairlead run: names of space {space.Record.Name}, and all others as the host has them")
            .AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"nameserver {dns}");
        if (search.Count > 0)
        {
            text.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"search {string.Join(' ', search)}");
        }

        return new RunFiles(Encoding.UTF8.GetString(HostsFile.Parse(hosts, [Loopback]).Without()), text.ToString());
    }

    /// <summary>Goes to work. All three are owned from here on.</summary>
    /// <param name="devices">Of the private network.</param>
    /// <param name="datagrams">Bound there, for DNS.</param>
    /// <param name="listener">Bound there, for DNS.</param>
    public void Serve(ITunCapture devices, Socket datagrams, Socket listener)
    {
        capture = devices;
        server = new DnsServer(datagrams, listener, new SplitHandler(() => zone, forwarder), new DnsServerOptions { Time = time, OnFault = LogFault });
        parts.Add(FollowSpaceAsync());
        parts.Add(FollowResolverAsync());
        parts.Add(new TunFlows(devices, FindDestination, time, spaces.Loggers).RunAsync(stopping.Token));
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (server is not null)
        {
            await server.DisposeAsync();
        }

        if (capture is not null)
        {
            await capture.DisposeAsync();
        }

        await forwarder.DisposeAsync();
        await resolver.DisposeAsync();
        stopping.Dispose();
    }

    /// <summary>Where the daemon's own section of the hosts file leads, whatever its option says.</summary>
    private static readonly IPNetwork Loopback = new(IPAddress.Parse("127.0.0.0"), 8);

    private FlowDestination? FindDestination(IPEndPoint destination, TransportProtocol protocol)
    {
        var found = view.Find(destination, protocol, out var isOurs);
        return found is { } ours ? new FlowDestination(space.Link, new FlowTarget(protocol, ours.Host, ours.Port), space.Counters)
            : isOurs ? null
            : new FlowDestination(host, new FlowTarget(protocol, destination.Address.ToString(), destination.Port), hostCounters);
    }

    /// <summary>Takes the catalog as it is now.</summary>
    private void Look()
    {
        var planned = new PlanSpace(
            space.Key, space.Record.Name, InUse: true, space.Record.ClusterDomain, options.Namespace ?? space.Settings.PrimaryNamespace, rules, space.Catalog.Snapshot);
        if (options.IsWhole)
        {
            view = RunView.OfCluster(planned, space.Network!, cluster);
        }
        else
        {
            selection = ConsumeSelection.Create([planned], selection);
            var addresses = spaces.Book.Assign([.. selection.Hosts.Select(selected => selected.Key)], new HashSet<IPAddress>(), DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime));
            view = RunView.OfServices(new ConsumePlan(selection, addresses), planned, cluster);
            Warnings = selection.Warnings.GetValueOrDefault(space.Key, []);
        }

        zone = new Zone(view.Names.Names, view.Names.Suffixes);
    }

    private async Task FollowSpaceAsync()
    {
        try
        {
            var version = space.Catalog.Version;
            var network = space.Network;
            for (var seen = space.Changed.Version; ; seen = space.Changed.Version)
            {
                if (space.Catalog.Version != version || !Equals(space.Network, network))
                {
                    version = space.Catalog.Version;
                    network = space.Network ?? network;
                    Look();
                }

                await space.Changed.WaitAsync(seen, stopping.Token);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
    }

    /// <summary>A VPN that comes up has servers of its own, and they are asked from then on.</summary>
    private async Task FollowResolverAsync()
    {
        try
        {
            await foreach (var _ in resolver.WatchAsync(stopping.Token))
            {
                try
                {
                    forwarder.Servers = (await resolver.ReadAsync(stopping.Token)).Servers;
                }
                catch (HostException e)
                {
                    LogResolver(e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
    }

    [LoggerMessage(4301, LogLevel.Warning, "How this host resolves names can't be read: {Reason}")]
    private partial void LogResolver(string reason);

    [LoggerMessage(4302, LogLevel.Warning, "Answering a query failed")]
    private partial void LogFault(Exception exception);
}
