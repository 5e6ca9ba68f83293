using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Linux.Netlink;
using Fairlead.Linux.Routes;
using Fairlead.Linux.Tun;
using Fairlead.Platform;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Enclosure;

/// <summary>
/// The inside of a private network namespace: a loopback device of its own, a device that takes everything else, and the sockets of a DNS server. What serves
/// them is outside, and gets their descriptors. Owns them.
/// </summary>
public sealed class EnclosedNetwork : IDisposable
{
    private const int DnsPort = 53;

    // linux/rtnetlink.h
    private const ushort CreateFlag = 0x400;    // NLM_F_CREATE
    private const byte MainTable = 254;         // RT_TABLE_MAIN
    private const byte StaticProtocol = 4;      // RTPROT_STATIC
    private const byte LinkScope = 253;         // RT_SCOPE_LINK
    private const byte Unicast = 1;             // RTN_UNICAST

    /// <summary>Where DNS is asked: what programs also take for granted where there is no resolv.conf (resolv.conf(5)).</summary>
    public static readonly IPAddress DnsAddress = IPAddress.Loopback;

    private static readonly TunOptions Options = TunOptions.Default with { Name = "fairlead0" };

    private readonly TunParts parts;
    private readonly Socket datagrams;
    private readonly Socket listener;

    private EnclosedNetwork(TunParts parts, Socket datagrams, Socket listener)
    {
        this.parts = parts;
        this.datagrams = datagrams;
        this.listener = listener;
    }

    public TunDevice Device => parts.Device;

    /// <summary>Of the device, then of the DNS server's UDP and TCP sockets.</summary>
    public IReadOnlyList<int> Handles => [.. parts.Handles, (int)datagrams.Handle, (int)listener.Handle];

    /// <summary>In the network namespace of this process, which must be new.</summary>
    /// <exception cref="HostException">The kernel refuses.</exception>
    public static EnclosedNetwork Create()
    {
        using var undo = new DisposeStack();
        using var socket = NetlinkSocket.Open();
        TunLink.SetUp(socket, "lo");
        AllowPing();
        var parts = undo.Push(TunParts.Create(Options));
        LeadEverythingTo(socket, parts.Device);
        try
        {
            var datagrams = undo.Push(new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
            datagrams.Bind(new IPEndPoint(DnsAddress, DnsPort));
            var listener = undo.Push(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            listener.Bind(new IPEndPoint(DnsAddress, DnsPort));
            undo.Keep();
            return new EnclosedNetwork(parts, datagrams, listener);
        }
        catch (SocketException e)
        {
            throw new HostException($"The DNS server's sockets can't be opened: {e.Message}.", e);
        }
    }

    public void Dispose()
    {
        parts.Dispose();
        datagrams.Dispose();
        listener.Dispose();
    }

    /// <summary>Ping sockets (icmp(7)) for this user's group, as most systems have it; a group that isn't mapped can't be named here.</summary>
    private static void AllowPing()
    {
        var group = Libc.EffectiveGroup();
        try
        {
            File.WriteAllText("/proc/sys/net/ipv4/ping_group_range", $"{group} {group}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A container may have /proc/sys read-only: then ping works only where the program has a capability of its own.
        }
    }

    private static void LeadEverythingTo(NetlinkSocket socket, TunDevice device)
    {
        // struct rtmsg: all addresses (/0), on the device itself.
        void Add(byte family)
        {
            byte[] header = [family, 0, 0, 0, MainTable, StaticProtocol, LinkScope, Unicast, 0, 0, 0, 0];
            var errno = socket.Change(RouteMessages.NewRoute, CreateFlag, (type, flags) => new NetlinkWriter(type, flags, header).Add(RouteMessages.RouteDevice, (uint)device.Index));
            if (errno != 0)
            {
                throw Errno.Failure($"{device.Name} can't get the default route", errno);
            }
        }

        Add(RouteMessages.IPv4);
        if (device.Address6 is not null)
        {
            Add(RouteMessages.IPv6);
        }
    }
}
