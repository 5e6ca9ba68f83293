using System.Buffers.Binary;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Fairlead.Platform.Peers;

namespace Fairlead.Linux.Peers;

/// <summary>SO_PEERCRED (unix(7)).</summary>
internal sealed class PeerCredentials : IPeerCredentials
{
    public PeerIdentity Of(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);

        // struct ucred: pid, uid, gid, 32 bits each, in the host's order. A socket that has no peer has pid 0 and uid and gid -1.
        Span<byte> credentials = stackalloc byte[12];
        try
        {
            var length = socket.GetRawSocketOption(Libc.SolSocket, Libc.SoPeerCredentials, credentials);
            var pid = BinaryPrimitives.ReadInt32LittleEndian(credentials);
            var uid = BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]);

            // A peer in another PID namespace (we run in a container) has pid 0, too, but a uid.
            if (socket.AddressFamily == AddressFamily.Unix && length == credentials.Length && uid != uint.MaxValue)
            {
                return new PeerIdentity(uid, BinaryPrimitives.ReadUInt32LittleEndian(credentials[8..]), pid);
            }
        }
        catch (SocketException exception)
        {
            throw new HostException("The peer of a local socket can't be told.", exception);
        }

        throw new HostException("The peer of a local socket can't be told: it isn't a connected unix-domain socket.");
    }
}
