using System.Buffers;
using System.Net.WebSockets;

namespace Fairlead.Kubernetes;

/// <summary>
/// A WebSocket in the protocol <c>v4.channel.k8s.io</c>: every message begins with one byte, the channel, and the rest are bytes of that
/// channel. Messages are handed on as they come, and not read faster than they are taken: that is the back-pressure, for all channels
/// together. Owns the socket and the loop that reads it.
/// </summary>
internal sealed class ChannelSocket : IAsyncDisposable
{
    /// <summary>Bytes in one message; kubelets read message by message into memory.</summary>
    private const int MaxMessage = 32 * 1024;

    /// <summary>A peer that doesn't take our close this long gets an abort.</summary>
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(1);

    private readonly WebSocket _socket;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private volatile bool _ended;
    private bool _disposed;

    /// <param name="socket">Is disposed with this.</param>
    /// <param name="receive">Takes the bytes of a channel, in pieces; valid only during the call.</param>
    /// <param name="ended">Called once, when nothing more comes: null when the server closed, else why.</param>
    public ChannelSocket(WebSocket socket, TimeProvider time, Func<byte, ReadOnlyMemory<byte>, CancellationToken, ValueTask> receive, Action<Exception?> ended)
    {
        _socket = socket;
        _time = time;
        _reading = ReadAsync(receive, ended);
    }

    public string? Protocol => _socket.SubProtocol;

    /// <summary>Sends bytes on a channel, as one message or several; returns once the socket took them.</summary>
    /// <exception cref="IOException">The connection has ended.</exception>
    public async ValueTask SendAsync(byte channel, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Min(data.Length, MaxMessage) + 1);
        await _sending.WaitAsync(cancellationToken);
        try
        {
            if (_ended)
            {
                throw new IOException("the connection to the pod has ended");
            }

            do
            {
                // In one frame: the server's library takes a frame for a message.
                var part = data[..Math.Min(data.Length, MaxMessage)];
                buffer[0] = channel;
                part.CopyTo(buffer.AsMemory(1));
                await _socket.SendAsync(buffer.AsMemory(0, part.Length + 1), WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
                data = data[part.Length..];
            }
            while (!data.IsEmpty);
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException)
        {
            throw new IOException("the connection to the pod has ended", e);
        }
        finally
        {
            _sending.Release();
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await SayCloseAsync();

        // A cancelled receive aborts the socket: nobody waits for the server's close.
        await _stop.CancelAsync();
        await _reading;
        _socket.Dispose();
        _stop.Dispose();
    }

    private async Task SayCloseAsync()
    {
        using var limit = new CancellationTokenSource(CloseLimit, _time);
        try
        {
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException)
        {
            // The connection is gone, or stuck: the abort that follows ends it.
        }
    }

    private async Task ReadAsync(Func<byte, ReadOnlyMemory<byte>, CancellationToken, ValueTask> receive, Action<Exception?> ended)
    {
        await Task.Yield();
        var buffer = ArrayPool<byte>.Shared.Rent(MaxMessage);
        Exception? failure = null;
        try
        {
            byte? channel = null;
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(), _stop.Token);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    failure = CloseFailure();
                    break;
                }

                var data = buffer.AsMemory(0, part.Count);
                if (channel is null && !data.IsEmpty)
                {
                    channel = data.Span[0];
                    data = data[1..];
                }

                if (channel is { } open && !data.IsEmpty)
                {
                    await receive(open, data, _stop.Token);
                }

                channel = part.EndOfMessage ? null : channel;
            }
        }
        catch (Exception e)
        {
            failure = e is KubernetesException ? e
                : _stop.IsCancellationRequested ? new ObjectDisposedException(nameof(ChannelSocket), "the session was disposed")
                : new KubernetesException(0, KubernetesException.Unreachable, $"the connection to the pod broke off: {e.Message}", inner: e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        _ended = true;
        if (failure is not null)
        {
            _socket.Abort(); // what we would still send is for nobody
        }

        ended(failure);
    }

    private KubernetesException? CloseFailure() =>
        _socket.CloseStatus is null or WebSocketCloseStatus.NormalClosure or WebSocketCloseStatus.EndpointUnavailable or WebSocketCloseStatus.Empty
            ? null
            : new KubernetesException(0, KubernetesException.Unreachable, $"the server ended the connection to the pod: {_socket.CloseStatusDescription} ({_socket.CloseStatus})");
}
