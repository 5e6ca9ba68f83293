using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Fairlead.Platform.Peers;

namespace Fairlead.Linux.Peers;

/// <summary>SO_PEERCRED (unix(7)).</summary>
internal sealed class PeerCredentials : IPeerCredentials
{
    private const uint OverflowUser = 65534;

    /// <summary>The uid that stands for all users of other user namespaces; null where there are none.</summary>
    private readonly uint? nameless;

    public PeerCredentials()
        : this(ReadOr("/proc/self/uid_map", ""), ReadOr("/proc/sys/kernel/overflowuid", ""))
    {
    }

    /// <param name="map">Of uids of our user namespace, as <c>/proc/self/uid_map</c> has it.</param>
    internal PeerCredentials(string map, string overflow) =>
        nameless = MapsEverybody(map) ? null : uint.TryParse(overflow.Trim(), CultureInfo.InvariantCulture, out var user) ? user : OverflowUser;

    internal uint? Nameless => nameless;

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

            // A peer in another PID namespace (we run in a container) has pid 0, too, but a uid. The kernel tells uids as our user namespace has them; all that
            // it has not, it tells as the same one (user_namespaces(7)), so that one is nobody.
            if (socket.AddressFamily == AddressFamily.Unix && length == credentials.Length && uid != uint.MaxValue && uid != nameless)
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

    /// <summary>The initial user namespace has one range: 2³² − 1 users from 0 on.</summary>
    private static bool MapsEverybody(string map) => map.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is ["0", _, "4294967295"];

    private static string ReadOr(string path, string otherwise)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return otherwise;
        }
    }
}
