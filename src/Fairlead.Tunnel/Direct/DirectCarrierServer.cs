using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Exit;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>
/// The gateway's data port: accepts mutual-TLS connections, of one flow at a time (<see cref="DirectServerConnection"/>) or shared by many
/// (<see cref="MuxServerConnection"/>), and hands each flow on them to the handler.
/// </summary>
public sealed partial class DirectCarrierServer(DirectCarrierServerOptions options, IFlowHandler handler, ILogger<DirectCarrierServer> logger, TimeProvider? time = null) : IAsyncDisposable
{
    /// <summary>After a failed accept, so that a lack of descriptors doesn't become a busy loop.</summary>
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(15);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<IServerConnection, Task> _connections = new();
    private readonly Handshakes _handshakes = new(options, logger, time ?? TimeProvider.System);
    private int _sockets;
    private int _disposed;
    private volatile bool _draining;
    private readonly List<Socket> _listeners = [];
    private Task _accepting = Task.CompletedTask;
    private ITimer? _sweep;

    /// <summary>Where it listens; valid after <see cref="Start"/>.</summary>
    public IPEndPoint EndPoint { get; private set; } = options.EndPoint;

    /// <summary>Connections now, idle or in use.</summary>
    public int Connections => _connections.Count;

    internal bool Draining => _draining;

    /// <summary>Why flows should be opened at another replica; null while they are welcome.</summary>
    internal string? Unavailable => _draining ? "This gateway is going away." : options.Unavailable?.Invoke();

    internal TimeProvider Time => _time;

    /// <summary>Binds and begins to accept.</summary>
    /// <exception cref="SocketException">The endpoint can't be bound.</exception>
    public void Start()
    {
        EndPoint = Listen(options.EndPoint);
        if (options.AlsoLoopback)
        {
            Listen(new IPEndPoint(IPAddress.Loopback, EndPoint.Port));
        }

        _accepting = Task.WhenAll(_listeners.Select(listener => Task.Run(() => AcceptAsync(listener))));
        _sweep = _time.CreateTimer(_ => CloseIdle(options.IdleTimeout), null, SweepInterval, SweepInterval);
    }

    /// <summary>Refuses new flows with <see cref="FlowFailure.Draining"/>, closes idle connections, and waits until open flows end or the deadline passes; those left are then aborted.</summary>
    public async Task DrainAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        _draining = true;
        CloseIdle(TimeSpan.Zero);
        try
        {
            var ended = Task.WhenAll(_connections.Values).WaitAsync(deadline, _time, cancellationToken);
            await Task.WhenAny(ended, Task.Delay(DirectServerConnection.FarewellTimeout, _time, cancellationToken));

            // Laptops that sleep hear no farewell.
            CloseIdle(TimeSpan.Zero);
            await ended;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            LogDrainDeadline(_connections.Count);
            AbortAll(_ => true, FlowFailure.Draining, "The gateway went away.");
        }
    }

    /// <summary>Ends every connection, and so every flow, of the identities that match (a revocation).</summary>
    /// <returns>How many connections.</returns>
    public int Close(Predicate<PeerIdentity> match) => AbortAll(match, FlowFailure.Denied, "Access was revoked.");

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _draining = true;
        await _stop.CancelAsync();
        _listeners.ForEach(listener => listener.Dispose());
        if (_sweep is not null)
        {
            await _sweep.DisposeAsync();
        }

        await _accepting;
        AbortAll(_ => true, FlowFailure.Draining, "The gateway went away.");
        await Task.WhenAll(_connections.Values);
        while (Volatile.Read(ref _sockets) > 0)
        {
            // Handshakes were cancelled above; each ends within a scheduler's turn.
            await Task.Yield();
        }

        _handshakes.Dispose();
        _stop.Dispose();
    }

    private IPEndPoint Listen(IPEndPoint endPoint)
    {
        var listener = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _listeners.Add(listener);
        listener.Bind(endPoint);
        listener.Listen(4096);
        return (IPEndPoint)listener.LocalEndPoint!;
    }

    private int AbortAll(Predicate<PeerIdentity> match, FlowFailure failure, string message)
    {
        var count = 0;
        foreach (var (connection, _) in _connections)
        {
            if (match(connection.Peer))
            {
                connection.Abort(failure, message);
                count++;
            }
        }

        return count;
    }

    private void CloseIdle(TimeSpan longerThan)
    {
        foreach (var (connection, _) in _connections)
        {
            connection.CloseIfIdle(longerThan);
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var socket = await listener.AcceptAsync(_stop.Token);
                if (Interlocked.Increment(ref _sockets) > options.MaxConnections)
                {
                    LogTooMany(options.MaxConnections);
                    Interlocked.Decrement(ref _sockets);
                    DirectConnection.Reset(socket);
                    continue;
                }

                // Owned by the count of sockets, which DisposeAsync waits for.
                _ = Task.Run(() => ServeAsync(socket));
            }
            catch (Exception e) when (_stop.IsCancellationRequested && (e is OperationCanceledException or SocketException or ObjectDisposedException))
            {
                return;
            }
            catch (SocketException e)
            {
                // A connection that was reset before it was accepted, or no descriptors left: accepting goes on.
                LogAcceptFailed(e.Message);
                await Task.Delay(AcceptPause, CancellationToken.None);
            }
        }
    }

    /// <summary>Serves a connection that somebody else accepted, inside which there is the same TLS, for flows that share it. Returns when it is over.</summary>
    /// <param name="transport">Owned by the caller.</param>
    /// <param name="stranger">A place that is given up once it is known whose the connection is.</param>
    public async Task ServeAsync(Stream transport, EndPoint? remote, StrangerLimit.Place? stranger)
    {
        if (Interlocked.Increment(ref _sockets) > options.MaxConnections || _stop.IsCancellationRequested)
        {
            LogTooMany(options.MaxConnections);
            Interlocked.Decrement(ref _sockets);
            return;
        }

        try
        {
            var records = new RecordStream(transport);
            if (await _handshakes.GreetAsync(records, socket: null, remote, () => _draining, _stop.Token) is { } greeted)
            {
                stranger?.Dispose();
                await ServeAsync(greeted, records, socket: null, remote);
            }
        }
        catch (Exception e)
        {
            LogDefect(e);
        }
        finally
        {
            Interlocked.Decrement(ref _sockets);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            SocketTuning.Apply(socket);
            var (records, remote) = (new RecordStream(socket), socket.RemoteEndPoint);
            if (await _handshakes.GreetAsync(records, socket, remote, () => _draining, _stop.Token) is { } greeted)
            {
                await (greeted.Laptop is null ? ServeExitAsync(greeted.Tls) : ServeAsync(greeted, records, socket, remote));
            }
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e))
        {
            // Reset before anything was read.
            Handshakes.LogFailed(logger, null, e.Message);
        }
        catch (Exception e)
        {
            LogDefect(e);
        }
        finally
        {
            socket.Dispose();
            Interlocked.Decrement(ref _sockets);
        }
    }

    private async Task ServeAsync(Handshakes.Greeted greeted, RecordStream records, Socket? socket, EndPoint? remote)
    {
        IServerConnection connection = greeted.Shared
            ? new MuxServerConnection(new MuxConnection(greeted.Tls, records, client: false), remote, greeted.Laptop!, this, handler, logger)
            : new DirectServerConnection(new DirectConnection(greeted.Tls, records, socket!, client: false), greeted.Laptop!, this, handler, logger);
        await using (connection)
        {
            var run = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _connections[connection] = run.Task;
            try
            {
                await connection.RunAsync(_stop.Token);
            }
            finally
            {
                _connections.TryRemove(connection, out _);
                run.SetResult();
            }
        }
    }

    private async Task ServeExitAsync(SslStream agent)
    {
        await using var exit = new ExitConnection(agent);
        try
        {
            await options.ServeExit!((X509Certificate2)agent.RemoteCertificate!, exit, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The gateway ends.
        }
    }

    [LoggerMessage(EventId = 203, Level = LogLevel.Warning, Message = "A connection could not be accepted: {Why}")]
    private partial void LogAcceptFailed(string why);

    [LoggerMessage(EventId = 204, Level = LogLevel.Warning, Message = "A connection was refused: {Limit} are open already")]
    private partial void LogTooMany(int limit);

    [LoggerMessage(EventId = 205, Level = LogLevel.Error, Message = "A connection ended by a defect")]
    private partial void LogDefect(Exception e);

    [LoggerMessage(EventId = 206, Level = LogLevel.Information, Message = "Draining took too long: {Count} connections are cut off")]
    private partial void LogDrainDeadline(int count);
}
