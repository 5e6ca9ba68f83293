using System.Net.Sockets;

namespace Fairlead.Platform.Peers;

/// <summary>Who is at the other end of a local socket, as the kernel knows it; the peer can't forge it.</summary>
public interface IPeerCredentials
{
    /// <param name="socket">A connected unix-domain stream socket.</param>
    /// <exception cref="HostException">The kernel doesn't say (not such a socket, or not connected).</exception>
    PeerIdentity Of(Socket socket);
}

/// <summary>As they were when the peer connected. <paramref name="Pid"/> may have ended and been reused since: for messages, never for decisions.</summary>
public sealed record PeerIdentity(uint Uid, uint Gid, int Pid)
{
    public bool IsRoot => Uid == 0;
}
