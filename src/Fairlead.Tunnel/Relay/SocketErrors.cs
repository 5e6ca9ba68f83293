using System.Net.Sockets;

namespace Fairlead.Tunnel.Relay;

/// <summary>Socket options that .NET has no name for.</summary>
public static class SocketErrors
{
    // ip(7), ipv6(7).
    private const int IpLevel = 0;
    private const int IpReceiveErrors = 11;
    private const int Ipv6Level = 41;
    private const int Ipv6ReceiveErrors = 25;

    /// <summary>
    /// Has a connected datagram socket report every ICMP error, "host unreachable" among them: without it Linux tells of "port unreachable" alone.
    /// </summary>
    public static void ReportAllErrors(this Socket socket)
    {
        var (level, option) = socket.AddressFamily == AddressFamily.InterNetwork ? (IpLevel, IpReceiveErrors) : (Ipv6Level, Ipv6ReceiveErrors);
        socket.SetRawSocketOption(level, option, BitConverter.GetBytes(1));
    }
}
