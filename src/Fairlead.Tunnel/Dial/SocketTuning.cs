using System.Net.Sockets;

namespace Fairlead.Tunnel.Dial;

/// <summary>Options of every TCP socket that carries flows.</summary>
internal static class SocketTuning
{
    private const int IpProtoTcp = 6;

    /// <summary>tcp(7), TCP_USER_TIMEOUT: how long sent data may stay unacknowledged.</summary>
    private const int TcpUserTimeout = 18;

    /// <summary>A flow lives through an outage this long, then it is reset.</summary>
    private const int OutageMilliseconds = 60_000;

    public static void Apply(Socket socket)
    {
        socket.NoDelay = true;

        // A peer that vanished is noticed on idle connections too: after 15 s of silence, four probes 10 s apart.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 15);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
        if (OperatingSystem.IsLinux())
        {
            socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, BitConverter.GetBytes(OutageMilliseconds));
        }
    }
}
