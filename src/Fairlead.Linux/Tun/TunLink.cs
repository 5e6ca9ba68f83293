using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fairlead.Linux.Native;
using Fairlead.Linux.Netlink;
using Fairlead.Linux.Routes;
using Fairlead.Platform;

namespace Fairlead.Linux.Tun;

/// <summary>Gives a device its MTU and addresses and sets it up, over rtnetlink(7), in the network namespace of the calling thread.</summary>
internal static class TunLink
{
    /// <summary>
    /// Packets that wait for us before the kernel drops: the longest UDP datagram is 45 fragments, and a busy sender of small ones outruns a reader that isn't scheduled for a moment.
    /// </summary>
    private const uint QueueLength = 4000;

    private const ushort LinkMtu = 4;           // IFLA_MTU
    private const ushort LinkQueue = 13;        // IFLA_TXQLEN
    private const ushort AddressRemote = 1;     // IFA_ADDRESS
    private const ushort AddressLocal = 2;      // IFA_LOCAL
    private const ushort AddressFlags = 8;      // IFA_FLAGS
    private const uint NoDuplicateDetection = 2;    // IFA_F_NODAD
    private const ushort Create = 0x400;        // NLM_F_CREATE
    private const int Up = 1;                   // IFF_UP
    private const int AlreadyThere = 17;        // EEXIST

    /// <returns>The interface index, and whether it got the IPv6 address: a host without IPv6 is no failure.</returns>
    /// <exception cref="HostException">The host refuses.</exception>
    public static (int Index, bool HasV6) SetUp(string name, int mtu, IPAddress address, int prefix, IPAddress address6, int prefix6)
    {
        var index = IndexOf(name);
        using var socket = NetlinkSocket.Open();
        Check(SetMtu(socket, index, mtu), $"{name} can't have an MTU of {mtu}");
        Check(Add(socket, index, address, prefix), $"{name} can't have the address {address}");
        var hasV6 = Add(socket, index, address6, prefix6) == 0;
        Check(SetUp(socket, index), $"{name} can't be set up");
        return (index, hasV6);
    }

    /// <exception cref="HostException">There is no such device, or the host refuses.</exception>
    public static void SetUp(NetlinkSocket socket, string name) => Check(SetUp(socket, IndexOf(name)), $"{name} can't be set up");

    /// <summary>
    /// Gives a device an address of its own, of global scope whatever its range, and sets it up. systemd-resolved asks a link's servers from that link, where only an address of its
    /// own is local, and takes no notice of links without one of that scope.
    /// </summary>
    /// <exception cref="HostException">The host refuses.</exception>
    public static void AddAddress(string name, IPAddress address)
    {
        var index = IndexOf(name);
        using var socket = NetlinkSocket.Open();
        var added = Add(socket, index, address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        Check(added == AlreadyThere ? 0 : added, $"{name} can't have the address {address}");
        Check(SetUp(socket, index), $"{name} can't be set up");
    }

    private static int IndexOf(string name) => (int)Libc.InterfaceIndex(name) is not 0 and var index ? index : throw Errno.Failure($"{name} has vanished");

    private static void Check(int errno, string problem)
    {
        if (errno != 0)
        {
            throw Errno.Failure(problem, errno);
        }
    }

    private static int SetMtu(NetlinkSocket socket, int index, int mtu) => socket.Change(
        RouteMessages.NewLink, 0, (type, flags) => new NetlinkWriter(type, flags, LinkHeader(index, 0)).Add(LinkMtu, (uint)mtu).Add(LinkQueue, QueueLength));

    private static int SetUp(NetlinkSocket socket, int index) => socket.Change(RouteMessages.NewLink, 0, (type, flags) => new NetlinkWriter(type, flags, LinkHeader(index, Up)));

    /// <summary>There are no neighbours that could have the same address, so none are asked: it can be used at once.</summary>
    private static int Add(NetlinkSocket socket, int index, IPAddress address, int prefix)
    {
        var family = address.AddressFamily == AddressFamily.InterNetwork ? RouteMessages.IPv4 : RouteMessages.IPv6;
        byte[] header = [family, (byte)prefix, 0, 0, .. BitConverter.GetBytes(index)];
        var bytes = address.GetAddressBytes();
        return socket.Change(
            RouteMessages.NewAddress,
            Create,
            (type, flags) => new NetlinkWriter(type, flags, header).Add(AddressLocal, bytes).Add(AddressRemote, bytes).Add(AddressFlags, NoDuplicateDetection));
    }

    /// <summary>struct ifinfomsg: family, type, index, flags, which of them change.</summary>
    private static byte[] LinkHeader(int index, int flags)
    {
        var header = new byte[16];
        MemoryMarshal.Write(header.AsSpan(4), index);
        MemoryMarshal.Write(header.AsSpan(8), flags);
        MemoryMarshal.Write(header.AsSpan(12), flags);
        return header;
    }
}
