using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Errors;
using Fairlead.Dns;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;
using Fairlead.Dns.Zones;
using Fairlead.Platform;
using Fairlead.Platform.Resolver;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>How names fare.</summary>
/// <param name="Resolver">Who would answer without us; null when that can't be read.</param>
/// <param name="Problem">Why names don't reach us.</param>
internal sealed record NameServerStatus(bool IsRunning, IPEndPoint EndPoint, ResolverState? Resolver, int Names, int Cached, long Loops, ErrorInfo? Problem);

/// <summary>
/// Split DNS on this host: a server of ours on the loopback device, the host's resolver led to it, and the servers that the host had as those who are asked
/// for everything else. Runs while anybody publishes names. Calls are serialised.
/// </summary>
internal sealed partial class NameServer : IAsyncDisposable
{
    /// <summary>Where programs look for DNS servers; resolv.conf can't name another.</summary>
    public const int Port = 53;

    private readonly IHostResolver host;
    private readonly ILogger logger;
    private readonly TimeProvider time;
    private readonly DnsServerOptions options;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly SortedDictionary<string, NameTable> tables = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource stopping = new();
    private NameSettings settings = new(false, "", "", "");
    private IClusterDns? included;
    private DnsServer? server;
    private Forwarder? forwarder;
    private Task watching = Task.CompletedTask;
    private CancellationTokenSource? watch;
    private volatile Zone zone = Zone.Empty;
    private volatile ResolverState? state;
    private ErrorInfo? problem;
    private long loops;

    /// <param name="host">Owned.</param>
    /// <param name="endPoint">Where the server listens while it runs: an address that nobody else is given, and <see cref="Port"/> (tests: 0, any).</param>
    /// <param name="datagrams">How this host serves datagrams best; null: as everywhere.</param>
    public NameServer(IHostResolver host, IPEndPoint endPoint, TimeProvider time, ILogger<NameServer> logger, DatagramLoop? datagrams = null)
    {
        var everywhere = new DnsServerOptions { Time = time, OnFault = LogFault };
        options = datagrams is null ? everywhere : everywhere with { Datagrams = datagrams };
        this.host = host;
        this.time = time;
        this.logger = logger;
        EndPoint = endPoint;
    }

    public IPEndPoint EndPoint { get; private set; }

    /// <summary>The servers that the host has without us, as last seen; empty while this doesn't run.</summary>
    public IReadOnlyList<IPEndPoint> Upstreams => forwarder?.Servers ?? [];

    public NameServerStatus Status => new(server is not null, EndPoint, state, zone.Count, forwarder?.Cached ?? 0, Interlocked.Read(ref loops), problem);

    /// <summary>
    /// Makes a table part of what is answered; when it completes, the names resolve.
    /// </summary>
    /// <param name="owner">Whose table it is; an earlier one of the same owner is replaced. Of two tables with one name, the owner that comes first in the alphabet has it.</param>
    /// <param name="cluster">Of the space in use, for the suffixes that the settings include.</param>
    /// <returns>What keeps names from reaching us; null when all is well.</returns>
    public async Task<ErrorInfo?> PublishAsync(string owner, NameTable table, NameSettings wishes, IClusterDns? cluster, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            tables[owner] = table;
            settings = wishes;
            included = cluster;
            return problem = await ApplyAsync(cancellationToken);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Takes a table back; with the last one the host is as it was.</summary>
    /// <exception cref="HostException">It couldn't be brought back; the journal still has it.</exception>
    public async Task WithdrawAsync(string owner, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (!tables.Remove(owner))
            {
                return;
            }

            problem = tables.Count > 0 ? await ApplyAsync(cancellationToken) : null;
            if (tables.Count == 0)
            {
                await StopAsync(cancellationToken);
            }
        }
        finally
        {
            gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        try
        {
            await StopAsync(CancellationToken.None);
        }
        finally
        {
            await host.DisposeAsync();
            stopping.Dispose();
            gate.Release();
        }
    }

    /// <summary>First the answers, then those who ask: nobody is led to a server that doesn't know yet.</summary>
    private async Task<ErrorInfo?> ApplyAsync(CancellationToken cancellationToken)
    {
        var before = zone;
        zone = NameTable.ToZone(tables.Values, settings, included);
        try
        {
            if (server is null)
            {
                await StartAsync(cancellationToken);
            }

            var outcome = await ClaimAsync(cancellationToken);
            if (HasOthers(before, zone))
            {
                await host.ForgetAnswersAsync(cancellationToken);
            }

            return outcome;
        }
        catch (SocketException e)
        {
            return new ErrorInfo(ErrorCategory.Failed, "dns-port", $"The DNS server can't listen on {EndPoint}", e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? "another DNS server of this machine listens on every address" : e.Message,
                "Let it listen on its own address only (dnsmasq: bind-interfaces, unbound: interface), or use the hosts file: 'fairlead options set resolver hosts'.");
        }
        catch (HostException e)
        {
            LogRefused(e.Message);
            return new ErrorInfo(ErrorCategory.Failed, "resolver", "The names of this machine can't be led to Fairlead", e.Message, e.Hint ?? "Use the hosts file: 'fairlead options set resolver hosts'.");
        }
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = new Forwarder(new ForwarderOptions { Time = time, OnLoop = NoteLoop, OnFailure = (name, reason) => LogUnanswered(name, reason) });
        try
        {
            state = await host.ReadAsync(cancellationToken);
            started.Servers = state.Servers;
            server = DnsServer.Start(EndPoint, new SplitHandler(() => zone, started), options);
            forwarder = started;
            EndPoint = server.LocalEndPoint;
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }

        LogStarted(EndPoint, state.Description, string.Join(", ", state.Servers));
        watch = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        watching = WatchAsync(watch.Token);
    }

    /// <summary>First those who ask go elsewhere, then the answers end.</summary>
    private async Task StopAsync(CancellationToken cancellationToken)
    {
        zone = tables.Count == 0 ? Zone.Empty : zone;
        if (server is null)
        {
            return;
        }

        try
        {
            await host.ReleaseAsync(cancellationToken);
        }
        finally
        {
            await watch!.CancelAsync();
            var (listening, asking) = (server, forwarder!);
            (server, forwarder, state) = (null, null, null);
            await asking.DisposeAsync();
            await listening.DisposeAsync();
            LogStopped();
        }
    }

    private async Task<ErrorInfo?> ClaimAsync(CancellationToken cancellationToken)
    {
        var device = tables.Values.Select(table => table.Device).FirstOrDefault(name => name is not null);
        var search = tables.Values.SelectMany(table => table.Search).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        var outcome = await host.ClaimAsync(new ResolverClaim(EndPoint.Address, device, NameTable.Domains(zone, settings), search), cancellationToken);
        return outcome.Problem is { } why
            ? new ErrorInfo(ErrorCategory.Conflict, "resolver-taken", "Names don't reach Fairlead", why, outcome.Hint)
            : null;
    }

    /// <summary>Follows what others do to this host's resolver. Ends by cancellation.</summary>
    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in host.WatchAsync(cancellationToken))
            {
                await FollowAsync(change, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            LogWatchFailed(e);
        }
    }

    private async Task FollowAsync(ResolverChange change, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            var now = await host.ReadAsync(cancellationToken);
            if (now != state)
            {
                LogChanged(change.Cause, string.Join(", ", now.Servers));
                state = now;
                forwarder!.Servers = now.Servers;
            }

            var before = problem;
            problem = await ClaimAsync(cancellationToken);
            if (problem is not null && problem != before)
            {
                LogRefused(problem.Why ?? problem.Message);
            }
        }
        catch (HostException e)
        {
            LogRefused(e.Message);
        }
        finally
        {
            gate.Release();
        }
    }

    private void NoteLoop(DnsName name)
    {
        if (Interlocked.Increment(ref loops) % 1000 == 1)
        {
            LogLoop(name);
        }
    }

    private static bool HasOthers(Zone before, Zone after) => before.Count != after.Count || after.Names.Any(name => before.Find(name.Name) is null);

    [LoggerMessage(2201, LogLevel.Information, "Names are answered on {EndPoint}; before that by {Resolver}, whose servers are asked for all else: {Servers}")]
    private partial void LogStarted(IPEndPoint endPoint, string resolver, string servers);

    [LoggerMessage(2202, LogLevel.Information, "Names are left to the host's own resolver again")]
    private partial void LogStopped();

    [LoggerMessage(2203, LogLevel.Information, "{Cause}: servers asked for other names are now {Servers}")]
    private partial void LogChanged(string cause, string servers);

    [LoggerMessage(2204, LogLevel.Error, "Names don't reach us: {Reason}")]
    private partial void LogRefused(string reason);

    [LoggerMessage(2205, LogLevel.Warning, "A query of ours for {Name} came back to us: a server of this host asks us what we ask it. It gets SERVFAIL")]
    private partial void LogLoop(DnsName name);

    [LoggerMessage(2206, LogLevel.Debug, "No answer for {Name}: {Reason}")]
    private partial void LogUnanswered(DnsName name, string reason);

    [LoggerMessage(2207, LogLevel.Warning, "Answering a query failed")]
    private partial void LogFault(Exception exception);

    [LoggerMessage(2208, LogLevel.Error, "Following this host's resolver failed")]
    private partial void LogWatchFailed(Exception exception);
}
