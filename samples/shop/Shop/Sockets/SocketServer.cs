using System.Net;
using System.Net.Sockets;

namespace Shop.Sockets;

/// <summary>TCP and UDP servers of one address.</summary>
internal static class SocketServer
{
    private const int BufferBytes = 64 << 10;
    private const int MaxConnections = 1024;

    /// <summary>Serves each connection until <paramref name="serve"/> is done with it, which may fail as sockets do.</summary>
    public static async Task StreamsAsync(IPEndPoint address, Func<Socket, CancellationToken, Task> serve, CancellationToken cancellationToken)
    {
        using var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(address);
        listener.Listen();
        using var free = new SemaphoreSlim(MaxConnections);
        var open = new List<Task>();
        while (true)
        {
            await free.WaitAsync(cancellationToken);
            var socket = await listener.AcceptAsync(cancellationToken);
            open.RemoveAll(t => t.IsCompleted);
            open.Add(ServeAsync(socket, serve, free, cancellationToken));
        }
    }

    /// <summary>Gives back every datagram.</summary>
    public static async Task DatagramsAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(address);
        var buffer = new byte[BufferBytes];
        while (true)
        {
            var received = await socket.ReceiveFromAsync(buffer, address, cancellationToken);
            await socket.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint, cancellationToken);
        }
    }

    public static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, cancellationToken)..];
        }
    }

    private static async Task ServeAsync(Socket socket, Func<Socket, CancellationToken, Task> serve, SemaphoreSlim free, CancellationToken cancellationToken)
    {
        try
        {
            using (socket)
            {
                await serve(socket, cancellationToken);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // reset by its sender, or the pod ends
        }
        finally
        {
            free.Release();
        }
    }
}
