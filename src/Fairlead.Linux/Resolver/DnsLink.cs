using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Fairlead.Linux.Native;
using Fairlead.Platform;
using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Resolver;

/// <summary>
/// A network link that carries no traffic: systemd-resolved keeps DNS servers per link, and this one is ours. It is a TUN device of which the kernel takes
/// the link away when this process ends in any way, and resolved with it what it knew of the link.
/// </summary>
internal sealed class DnsLink : IDisposable
{
    public const string DefaultName = "fairlead-dns";

    private const nuint SetInterface = 0x400454ca; // TUNSETIFF
    private const short Tun = 0x0001;
    private const short NoPacketInformation = 0x1000;
    private const int NameLength = 16;             // IFNAMSIZ

    private readonly SafeFileHandle device;

    private DnsLink(SafeFileHandle device, string name)
    {
        this.device = device;
        Name = name;
    }

    public string Name { get; }

    /// <summary>Somebody may have deleted it.</summary>
    public bool Exists => Libc.InterfaceIndex(Name) > 0;

    /// <exception cref="HostException">The kernel has no TUN devices, or refuses.</exception>
    public static unsafe DnsLink Open(string name)
    {
        var device = Libc.Open("/dev/net/tun", Libc.OpenReadWrite | Libc.OpenCloseOnExec);
        if (device.IsInvalid)
        {
            var failure = Errno.Failure("can't make a network link for systemd-resolved: /dev/net/tun can't be opened");
            device.Dispose();
            throw failure;
        }

        // struct ifreq: the name, then the flags; 40 octets in all.
        var request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        Encoding.ASCII.GetBytes(name, new Span<byte>(request, NameLength - 1));
        *(short*)(request + NameLength) = Tun | NoPacketInformation;
        if (Libc.Control(device, SetInterface, request) != 0)
        {
            var failure = Errno.Failure($"can't make the network link {name}");
            device.Dispose();
            throw failure;
        }

        return new DnsLink(device, name);
    }

    /// <summary>
    /// Gives a link an address and switches it on. The scope is global also for an address of the loopback range: resolved takes no notice of links
    /// without one, and asks a link's servers from that link, where only an address of its own is local.
    /// </summary>
    /// <exception cref="HostException">The kernel refused.</exception>
    public static void AddAddress(string link, IPAddress address)
    {
        var index = LinkMessages.IndexOf(link);
        using var socket = LinkMessages.Open();
        LinkMessages.AddAddress(socket, index, address);
        LinkMessages.SwitchOn(socket, index);
    }

    public void Dispose() => device.Dispose();
}

/// <summary>The two messages of rtnetlink(7) that a <see cref="DnsLink"/> needs.</summary>
internal static class LinkMessages
{
    private const int Netlink = 16;            // AF_NETLINK
    private const int Raw = 3;                 // SOCK_RAW
    private const int CloseOnExec = 0x80000;   // SOCK_CLOEXEC
    private const ushort ErrorMessage = 2;     // NLMSG_ERROR
    private const ushort NewLink = 16;         // RTM_NEWLINK
    private const ushort NewAddress = 20;      // RTM_NEWADDR
    private const ushort Request = 1;
    private const ushort Acknowledge = 4;
    private const ushort CreateOrReplace = 0x500;
    private const ushort LocalAttribute = 2;   // IFA_LOCAL
    private const ushort AddressAttribute = 1; // IFA_ADDRESS
    private const byte ScopeGlobal = 0;
    private const uint Up = 1;                 // IFF_UP
    private const int HeaderLength = 16;       // struct nlmsghdr

    public static int IndexOf(string link) => Libc.InterfaceIndex(link) is var index and > 0 ? (int)index : throw Errno.Failure($"there is no network link {link}");

    public static SafeFileHandle Open()
    {
        var descriptor = Namespaces.NamespaceCalls.Socket(Netlink, Raw | CloseOnExec, 0);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Errno.Failure("can't open a routing socket");
    }

    public static void AddAddress(SafeFileHandle socket, int index, IPAddress address)
    {
        var octets = address.GetAddressBytes();
        var family = (byte)(address.AddressFamily == AddressFamily.InterNetworkV6 ? 10 : 2);

        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        var body = new byte[8 + (2 * (4 + octets.Length))];
        (body[0], body[1], body[3]) = (family, (byte)(octets.Length * 8), ScopeGlobal);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), index);
        var at = 8;
        foreach (var attribute in new[] { LocalAttribute, AddressAttribute })
        {
            BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(at), (ushort)(4 + octets.Length));
            BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(at + 2), attribute);
            octets.CopyTo(body, at + 4);
            at += 4 + octets.Length;
        }

        Exchange(socket, NewAddress, CreateOrReplace, body, $"can't give {address} to a network link");
    }

    public static void SwitchOn(SafeFileHandle socket, int index)
    {
        // struct ifinfomsg: family, type, index, flags, which flags change.
        var body = new byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), index);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(8), Up);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(12), Up);
        Exchange(socket, NewLink, 0, body, "can't switch a network link on");
    }

    private static void Exchange(SafeFileHandle socket, ushort type, ushort flags, ReadOnlySpan<byte> body, string what)
    {
        var message = new byte[HeaderLength + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), (ushort)(Request | Acknowledge | flags));
        body.CopyTo(message.AsSpan(HeaderLength));
        if (Namespaces.NamespaceCalls.Send(socket, message, (nuint)message.Length, 0) != message.Length)
        {
            throw Errno.Failure(what);
        }

        // The acknowledgement: a header, then the error as a negative number, 0 for none.
        var answer = new byte[4096];
        var length = Namespaces.NamespaceCalls.Receive(socket, answer, (nuint)answer.Length, 0);
        if (length < HeaderLength + 4 || BinaryPrimitives.ReadUInt16LittleEndian(answer.AsSpan(4)) != ErrorMessage)
        {
            throw new HostException($"{what}: the kernel gave no answer.");
        }

        var error = -BinaryPrimitives.ReadInt32LittleEndian(answer.AsSpan(HeaderLength));
        if (error != 0)
        {
            throw Errno.Failure(what, error);
        }
    }
}
