using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>Both ends of a flow: the program's first. IPv4 addresses are as in ::ffff:0:0/96, which no IPv6 packet may use.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FlowKey(UInt128 Client, UInt128 Destination, ushort ClientPort, ushort DestinationPort)
{
    public bool IsV6 => Ip.IsV6(Client);

    public IPEndPoint ClientEndPoint => new(Ip.ToAddress(Client), ClientPort);

    public IPEndPoint DestinationEndPoint => new(Ip.ToAddress(Destination), DestinationPort);

    /// <summary>Of a packet from the program whose transport header begins with ports.</summary>
    public static FlowKey Read(ReadOnlySpan<byte> packet, in IpHeader ip)
    {
        var (source, destination) = Ip.ReadAddresses(packet, ip.IsV6);
        var ports = packet[ip.Transport..];
        return new FlowKey(source, destination, BinaryPrimitives.ReadUInt16BigEndian(ports), BinaryPrimitives.ReadUInt16BigEndian(ports[2..]));
    }
}

/// <summary>IP addresses as numbers.</summary>
internal static class Ip
{
    private const ulong MappedPrefix = 0xffff_0000_0000;

    public static bool IsV6(UInt128 address) => address >> 32 != 0xffff;

    public static UInt128 FromAddress(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        return length == 4 ? Mapped(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static IPAddress ToAddress(UInt128 address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return new IPAddress(bytes[..Write(address, bytes)]);
    }

    /// <returns>4 or 16: how many bytes.</returns>
    public static int Write(UInt128 address, Span<byte> bytes)
    {
        if (IsV6(address))
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
            return 16;
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)address);
        return 4;
    }

    public static (UInt128 Source, UInt128 Destination) ReadAddresses(ReadOnlySpan<byte> packet, bool isV6) => isV6
        ? (BinaryPrimitives.ReadUInt128BigEndian(packet[8..]), BinaryPrimitives.ReadUInt128BigEndian(packet[24..]))
        : (Mapped(BinaryPrimitives.ReadUInt32BigEndian(packet[12..])), Mapped(BinaryPrimitives.ReadUInt32BigEndian(packet[16..])));

    /// <summary>
    /// False for what nobody is answered at: unspecified, loopback, multicast and broadcast addresses (RFC 1122 §3.2.1.3), link-local IPv6, and IPv4-mapped addresses inside IPv6.
    /// </summary>
    public static bool IsUnicast(UInt128 address, bool isV6)
    {
        if (!isV6)
        {
            var v4 = (uint)address;
            return v4 >> 24 is not (0 or 127) && v4 >> 28 != 0xe && v4 != 0xffff_ffff;
        }

        var high = (ushort)(address >> 112);
        return IsV6(address) && address > 1 && high >> 8 != 0xff && (high & 0xffc0) != 0xfe80;
    }

    private static UInt128 Mapped(uint v4) => MappedPrefix | v4;
}
