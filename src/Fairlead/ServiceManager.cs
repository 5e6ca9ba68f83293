using System.Net.Sockets;
using System.Text;

namespace Fairlead;

/// <summary>Tells the service manager that started this process how it is. See sd_notify(3).</summary>
internal static class ServiceManager
{
    /// <summary>The daemon serves. Nothing happens where no service manager waits for it.</summary>
    /// <param name="address">NOTIFY_SOCKET: a path, or a name in the abstract namespace behind an <c>@</c>.</param>
    /// <exception cref="SocketException">The service manager is not there any more.</exception>
    public static void TellReady(string? address)
    {
        if (string.IsNullOrEmpty(address))
        {
            return;
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.SendTo(Encoding.ASCII.GetBytes("READY=1"), new UnixDomainSocketEndPoint(address[0] == '@' ? '\0' + address[1..] : address));
    }
}
