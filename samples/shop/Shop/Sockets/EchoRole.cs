using System.Net;
using System.Net.Sockets;

namespace Shop.Sockets;

/// <summary>Gives back what it gets, over TCP (each connection until its sender is done) and UDP (RFC 862).</summary>
internal static class EchoRole
{
    private const int BufferBytes = 64 << 10;

    public static Task RunAsync(CancellationToken cancellationToken)
    {
        var address = new IPEndPoint(IPAddress.Any, Settings.Port);
        return Task.WhenAll(SocketServer.StreamsAsync(address, EchoAsync, cancellationToken), SocketServer.DatagramsAsync(address, cancellationToken));
    }

    private static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        int read;
        while ((read = await socket.ReceiveAsync(buffer, cancellationToken)) > 0)
        {
            await SocketServer.SendAsync(socket, buffer.AsMemory(0, read), cancellationToken);
        }

        socket.Shutdown(SocketShutdown.Send);
    }
}
