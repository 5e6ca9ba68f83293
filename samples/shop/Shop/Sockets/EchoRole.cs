using System.Net;
using System.Net.Sockets;

namespace Shop.Sockets;

/// <summary>Gives back what it gets, over TCP (each connection until its sender is done) and UDP (RFC 862).</summary>
internal static class EchoRole
{
    private const int BufferBytes = 64 << 10;
    private const int MaxConnections = 1024;

    public static Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(StreamsAsync(cancellationToken), DatagramsAsync(cancellationToken));

    private static async Task StreamsAsync(CancellationToken cancellationToken)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Any, Settings.Port));
        listener.Listen();
        using var free = new SemaphoreSlim(MaxConnections);
        var open = new List<Task>();
        while (true)
        {
            await free.WaitAsync(cancellationToken);
            var socket = await listener.AcceptAsync(cancellationToken);
            open.RemoveAll(t => t.IsCompleted);
            open.Add(EchoAsync(socket, free, cancellationToken));
        }
    }

    private static async Task EchoAsync(Socket socket, SemaphoreSlim free, CancellationToken cancellationToken)
    {
        try
        {
            using (socket)
            {
                var buffer = new byte[BufferBytes];
                int read;
                while ((read = await socket.ReceiveAsync(buffer, cancellationToken)) > 0)
                {
                    for (var sent = 0; sent < read;)
                    {
                        sent += await socket.SendAsync(buffer.AsMemory(sent, read - sent), cancellationToken);
                    }
                }

                socket.Shutdown(SocketShutdown.Send);
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

    private static async Task DatagramsAsync(CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, Settings.Port));
        var buffer = new byte[BufferBytes];
        while (true)
        {
            var received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), cancellationToken);
            await socket.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint, cancellationToken);
        }
    }
}
