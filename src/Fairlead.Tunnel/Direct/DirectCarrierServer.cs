using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
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
    /// <summary>After a denial: how long the client may take to read it.</summary>
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(1);

    /// <summary>After a failed accept, so that a lack of descriptors doesn't become a busy loop.</summary>
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(15);

    /// <summary>What laptops speak, the best first.</summary>
    private static readonly SslApplicationProtocol[] OfLaptops = [DirectDialer.WithDatagrams, DirectDialer.Protocol, MuxConnection.Protocol];

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<IServerConnection, Task> _connections = new();
    private readonly StrangerLimit _silent = new(options.MaxSilent, time ?? TimeProvider.System);
    private readonly StrangerLimit _handshakes = new(options.MaxHandshakes, time ?? TimeProvider.System);
    private readonly HandshakeTurns _turns = HandshakeTurns.OfHalfTheProcessors();
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

        _turns.Dispose();
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
            if ((await HandshakeAsync(new RecordStream(transport), socket: null, remote)).Laptop is { } connection)
            {
                stranger?.Dispose();
                await ServeAsync(connection);
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
            var (connection, agent) = await HandshakeAsync(new RecordStream(socket), socket, socket.RemoteEndPoint);
            if (agent is not null)
            {
                await ServeExitAsync(agent);
            }
            else if (connection is not null)
            {
                await ServeAsync(connection);
            }
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e))
        {
            // Reset before anything was read.
            LogHandshakeFailed(null, e.Message);
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

    private async Task ServeAsync(IServerConnection connection)
    {
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

    /// <param name="socket">Null where it is none of ours: then only flows that share the connection are served.</param>
    /// <returns>A laptop's connection, or an agent's; neither where there is none.</returns>
    private async Task<(IServerConnection? Laptop, SslStream? Agent)> HandshakeAsync(RecordStream records, Socket? socket, EndPoint? remote)
    {
        var started = TunnelMetrics.Now;
        SslStream? tls = null;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        deadline.CancelAfter(options.HandshakeTimeout);
        StrangerLimit.Place? place = null;
        try
        {
            if (!await IsHeardAsync(records, remote, deadline) || !_handshakes.TryEnter(remote, () => Cancel(deadline), out place))
            {
                throw new IOException("There are too many handshakes at the same time.");
            }

            records.BeginTurns(_turns);
            tls = new SslStream(records);
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ServerCertificateContext = options.Certificate(),
                    ClientCertificateRequired = true,
                    ApplicationProtocols = socket is null ? [MuxConnection.Protocol] : [.. options.ServeExit is null ? [] : new[] { ExitProtocol.Alpn }, .. OfLaptops],
                    CertificateChainPolicy = TunnelTls.UnjudgedPolicy(),
                    // Only that there is one: who it is, is judged below, where a denial can be told to the client.
                    RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
                },
                deadline.Token);
            TunnelMetrics.Handshake(started, client: false, failed: false);
            if (tls.NegotiatedApplicationProtocol == ExitProtocol.Alpn)
            {
                return (null, tls);
            }

            var shared = socket is null || tls.NegotiatedApplicationProtocol == MuxConnection.Protocol;
            var (peer, refusal) = Judge(tls);
            records.EndTurns();
            if (refusal is null)
            {
                return shared
                    ? (new MuxServerConnection(new MuxConnection(tls, records, client: false), remote, peer!, this, handler, logger), null)
                    : (new DirectServerConnection(new DirectConnection(tls, records, socket!, client: false), peer!, this, handler, logger), null);
            }

            LogDenied(remote, refusal.Message);
            await FarewellAsync(tls, socket, shared
                ? MuxFrames.Outcome(MuxFrameType.Abort, 0, refusal.Failure, refusal.Message)
                : FrameCodec.Outcome(FrameType.Abort, refusal.Failure, refusal.Message));
            return default;
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            TunnelMetrics.Handshake(started, client: false, failed: true);
            LogHandshakeFailed(remote, e.Message);
            tls?.Dispose();
            if (socket is not null)
            {
                DirectConnection.Reset(socket);
            }

            return default;
        }
        finally
        {
            place?.Dispose();
            records.EndTurns();
        }
    }

    /// <summary>Until the first bytes: a connection on which nothing was said has cost next to nothing, so that there may be many.</summary>
    /// <returns>False when there is no place for it.</returns>
    private async Task<bool> IsHeardAsync(RecordStream records, EndPoint? remote, CancellationTokenSource deadline)
    {
        if (!_silent.TryEnter(remote, () => Cancel(deadline), out var place))
        {
            return false;
        }

        using (place)
        {
            _ = await records.ReadAsync(Memory<byte>.Empty, deadline.Token);
            return true;
        }
    }

    private static void Cancel(CancellationTokenSource handshake)
    {
        try
        {
            handshake.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself in this moment.
        }
    }

    private (PeerIdentity? Peer, FlowRefusal? Refusal) Judge(SslStream tls)
    {
        if (_draining)
        {
            return (null, new FlowRefusal(FlowFailure.Draining, "This gateway is going away."));
        }

        if (!OfLaptops.Contains(tls.NegotiatedApplicationProtocol))
        {
            return (null, new FlowRefusal(FlowFailure.ProtocolError, $"This gateway speaks {string.Join(", ", OfLaptops)}."));
        }

        var peer = tls.RemoteCertificate is X509Certificate2 certificate ? options.Identify(certificate) : null;
        return peer is null ? (null, new FlowRefusal(FlowFailure.Denied, "The certificate is not valid here, has expired, or was revoked.")) : (peer, null);
    }

    /// <summary>Says why, and gives the client time to read it: a reset at once might overtake it.</summary>
    private static async Task FarewellAsync(SslStream tls, Socket? socket, byte[] frame)
    {
        using var patience = new CancellationTokenSource(FarewellTimeout);
        try
        {
            await tls.WriteAsync(frame, patience.Token);
            socket?.Shutdown(SocketShutdown.Send);
            var scrap = new byte[1024];
            while (await tls.ReadAsync(scrap, patience.Token) > 0)
            {
            }
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            // It doesn't listen; it will see the connection end.
        }
        finally
        {
            await tls.DisposeAsync();
        }
    }

    [LoggerMessage(EventId = 201, Level = LogLevel.Information, Message = "Denied {Remote}: {Why}")]
    private partial void LogDenied(EndPoint? remote, string why);

    [LoggerMessage(EventId = 202, Level = LogLevel.Debug, Message = "No TLS with {Remote}: {Why}")]
    private partial void LogHandshakeFailed(EndPoint? remote, string why);

    [LoggerMessage(EventId = 203, Level = LogLevel.Warning, Message = "A connection could not be accepted: {Why}")]
    private partial void LogAcceptFailed(string why);

    [LoggerMessage(EventId = 204, Level = LogLevel.Warning, Message = "A connection was refused: {Limit} are open already")]
    private partial void LogTooMany(int limit);

    [LoggerMessage(EventId = 205, Level = LogLevel.Error, Message = "A connection ended by a defect")]
    private partial void LogDefect(Exception e);

    [LoggerMessage(EventId = 206, Level = LogLevel.Information, Message = "Draining took too long: {Count} connections are cut off")]
    private partial void LogDrainDeadline(int count);
}
