using System.Net.WebSockets;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel.WebSocket;

/// <summary>A WebSocket's binary messages as one byte stream, whatever their boundaries. One read and one write at a time. Owns the socket.</summary>
internal sealed class WebSocketByteStream(System.Net.WebSockets.WebSocket socket) : DuplexStream
{
    /// <exception cref="IOException">The WebSocket broke, or carried text.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (true)
            {
                var received = await socket.ReceiveAsync(buffer, cancellationToken);
                switch (received.MessageType)
                {
                    case WebSocketMessageType.Close:
                        return 0;
                    case WebSocketMessageType.Text:
                        throw new IOException("The peer sent text where bytes are due.");
                    case WebSocketMessageType.Binary when received.Count > 0 || buffer.IsEmpty:
                        return received.Count;
                }
            }
        }
        catch (WebSocketException e)
        {
            throw new IOException("The WebSocket broke.", e);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await socket.SendAsync(buffer, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
        }
        catch (WebSocketException e)
        {
            throw new IOException("The WebSocket broke.", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            socket.Abort();
            socket.Dispose();
        }

        base.Dispose(disposing);
    }
}
