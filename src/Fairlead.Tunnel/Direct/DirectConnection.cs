using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Fairlead.Tunnel.Direct;

/// <summary>
/// One mutual-TLS connection of the direct carrier as frames, the same at both ends. One reader and one writer at a time;
/// <see cref="Abort"/> may be called at any time by anybody. Owns them all.
/// </summary>
internal sealed class DirectConnection : IAsyncDisposable
{
    private readonly SslStream _tls;
    private readonly RecordStream _records;
    private readonly Socket _socket;
    private readonly byte[] _header = new byte[FrameHeader.Size];
    private int _writing;
    private readonly bool _client;
    private int _closed;
    private int _disposed;

    /// <param name="tls">Authenticated, over <paramref name="records"/>.</param>
    /// <param name="records">Over <paramref name="socket"/>.</param>
    /// <param name="client">Which end this is, for the metrics.</param>
    public DirectConnection(SslStream tls, RecordStream records, Socket socket, bool client)
    {
        _client = client;
        TunnelMetrics.Connections(1, client);
        _tls = tls;
        _records = records;
        _socket = socket;
        RemoteEndPoint = socket.RemoteEndPoint;
    }

    public EndPoint? RemoteEndPoint { get; }

    /// <summary>The certificate that this end proved itself with; a renewed one makes a connection obsolete.</summary>
    public X509Certificate2? LocalCertificate { get; init; }

    /// <summary>The gateway's pod at the other end, on the laptop's side; empty where it isn't known.</summary>
    public string Replica { get; init; } = "";

    /// <summary>Whether the gateway at the other end takes flows of datagrams, on the laptop's side.</summary>
    public bool CarriesDatagrams { get; init; }

    /// <summary>Payload bytes of the current data frame that the next read can take without waiting for the network, if any.</summary>
    public bool HasRecord => _records.HasRecord;

    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Waits for the next frame without holding a buffer.</summary>
    /// <returns>Type <see cref="FrameType.End"/> when the connection ended between two frames.</returns>
    /// <exception cref="FlowAbortedException">The peer broke the protocol, or the connection ended inside a header.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FrameHeader> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        _ = await _tls.ReadAsync(Memory<byte>.Empty, cancellationToken);
        var have = 0;
        while (have < FrameHeader.Size)
        {
            var count = await _tls.ReadAsync(_header.AsMemory(have), cancellationToken);
            if (count == 0)
            {
                return have == 0 ? default : throw new FlowAbortedException(FlowFailure.LinkDown, "The connection ended inside a frame.");
            }

            have += count;
        }

        return FrameHeader.TryParse(_header, out var header) ? header : throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a frame that is none.");
    }

    /// <summary>Some bytes of the current frame's payload; 0 when the connection ended.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _tls.ReadAsync(buffer, cancellationToken);

    /// <summary>The whole payload of a small frame.</summary>
    public async ValueTask<byte[]> ReadPayloadAsync(FrameHeader header, CancellationToken cancellationToken)
    {
        var payload = new byte[header.Length];
        await _tls.ReadExactlyAsync(payload, cancellationToken);
        return payload;
    }

    /// <summary>Reads a payload away that nobody wants.</summary>
    public async ValueTask DiscardAsync(FrameHeader header, CancellationToken cancellationToken)
    {
        var scrap = ArrayPool<byte>.Shared.Rent(Math.Min(header.Length, 16 * 1024));
        for (var left = header.Length; left > 0;)
        {
            var count = await _tls.ReadAsync(scrap.AsMemory(0, Math.Min(left, scrap.Length)), cancellationToken);
            left -= count > 0 ? count : throw new FlowAbortedException(FlowFailure.LinkDown, "The connection ended inside a frame.");
        }

        ArrayPool<byte>.Shared.Return(scrap);
    }

    /// <summary>FIN after what was written; reading goes on.</summary>
    public void EndWrites() => _socket.Shutdown(SocketShutdown.Send);

    /// <param name="frame">Header and payload.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref _writing, 1, 0) != 0)
        {
            throw IsClosed ? new ObjectDisposedException(nameof(DirectConnection)) : new InvalidOperationException("Another write is in progress.");
        }

        // One TLS record gains nothing from gathering.
        if (frame.Length <= 16 * 1024)
        {
            await _tls.WriteAsync(frame, cancellationToken);
        }
        else
        {
            _records.BeginGather();
            await _tls.WriteAsync(frame, cancellationToken);
            await _records.EndGatherAsync(cancellationToken);
        }

        // Not in a finally: after a failed or cancelled write nothing may follow on this connection.
        Volatile.Write(ref _writing, 0);
    }

    /// <summary>Tells the peer why, if that is possible at once, and resets the connection.</summary>
    public void Abort(FlowFailure failure, string message)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
        {
            return;
        }

        if (Interlocked.CompareExchange(ref _writing, 1, 0) == 0)
        {
            try
            {
                var write = _tls.WriteAsync(FrameCodec.Outcome(FrameType.Abort, failure, message), CancellationToken.None);
                if (!write.IsCompleted)
                {
                    // The peer takes nothing now: it will see the reset only.
                    _ = write.AsTask().ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
                }
            }
            catch (Exception e) when (IsConnectionFailure(e) || e is InvalidOperationException)
            {
                // It is gone already, which is what is wanted. SslStream calls itself unauthenticated when it is disposed between its two checks.
            }
        }

        Reset(_socket);
    }

    /// <summary>Ends a connection that carries no flow: the peer sees a plain end.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0)
        {
            _socket.Dispose();
        }
    }

    public ValueTask DisposeAsync()
    {
        Close();
        Release();
        return ValueTask.CompletedTask;
    }

    /// <summary>Frees a connection that was closed or aborted.</summary>
    public void Release()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            TunnelMetrics.Connections(-1, _client);
            _tls.Dispose();
        }
    }

    /// <summary>What reading or writing throws when the connection, and not our code, is at fault.</summary>
    public static bool IsConnectionFailure(Exception e) =>
        e is IOException or SocketException or ObjectDisposedException or AuthenticationException;

    public static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Closed already.
        }

        socket.Dispose();
    }
}
