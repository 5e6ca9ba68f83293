using System.Buffers.Binary;
using System.Net;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>Writes frames of our own (an empty virtio header, then the packet) towards programs. Each returns the frame's length.</summary>
internal static class PacketWriter
{
    /// <summary>Room for any of the answers here.</summary>
    public const int MaxAnswer = VirtioHeader.Size + MaxErrorV6;

    /// <summary>Of a transport's header, what an ICMP error must quote to be understood.</summary>
    public const int QuotedHeader = 8;

    private const byte HopLimit = 64;

    /// <summary>RFC 1812 §4.3.2.3: an error quotes as much as fits into 576 bytes.</summary>
    private const int MaxErrorV4 = 576;

    /// <summary>RFC 4443 §2.4 (c).</summary>
    private const int MaxErrorV6 = 1280;
    private const int IcmpHeader = 8;

    /// <summary>The IP header of a packet that isn't fragmented.</summary>
    /// <returns>Its length.</returns>
    public static int WriteIp(Span<byte> packet, UInt128 source, UInt128 destination, byte protocol, int payloadLength, ushort identification = 0, ushort fragment = 0)
    {
        if (Ip.IsV6(source))
        {
            packet[..8].Clear();
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet[4..], (ushort)payloadLength);
            packet[6] = protocol;
            packet[7] = HopLimit;
            Ip.Write(source, packet[8..]);
            Ip.Write(destination, packet[24..]);
            return IpHeader.V6Length;
        }

        packet[..IpHeader.V4Length].Clear();
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)(IpHeader.V4Length + payloadLength));
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(packet[6..], fragment);
        packet[8] = HopLimit;
        packet[9] = protocol;
        Ip.Write(source, packet[12..]);
        Ip.Write(destination, packet[16..]);
        Checksum.Write(packet[10..], (ushort)~Checksum.Fold(Checksum.Add(0, packet[..IpHeader.V4Length])));
        return IpHeader.V4Length;
    }

    /// <summary>The answer to a segment that belongs to no connection (RFC 9293 §3.10.7.1).</summary>
    public static int WriteReset(ReadOnlySpan<byte> packet, in IpHeader ip, Span<byte> frame)
    {
        var (source, destination) = Ip.ReadAddresses(packet, ip.IsV6);
        frame[..VirtioHeader.Size].Clear();
        var answer = frame[VirtioHeader.Size..];
        var start = WriteIp(answer, destination, source, IpHeader.Tcp, TcpHeader.Length);
        var segment = answer.Slice(start, TcpHeader.Length);
        segment.Clear();
        var original = packet[ip.Transport..];
        original[2..4].CopyTo(segment);
        original[..2].CopyTo(segment[2..]);
        TcpHeader.TryRead(packet, ip, out var flags, out var headerLength);
        if (flags.Has(TcpFlags.Acknowledge))
        {
            BinaryPrimitives.WriteUInt32BigEndian(segment[4..], TcpHeader.Acknowledgment(packet, ip));
            segment[13] = (byte)TcpFlags.Reset;
        }
        else
        {
            // SYN and FIN count as a byte each.
            var length = ip.PayloadLength - headerLength + (flags.Has(TcpFlags.Syn) ? 1 : 0) + (flags.Has(TcpFlags.Fin) ? 1 : 0);
            BinaryPrimitives.WriteUInt32BigEndian(segment[8..], TcpHeader.Sequence(packet, ip) + (uint)length);
            segment[13] = (byte)(TcpFlags.Reset | TcpFlags.Acknowledge);
        }

        segment[12] = TcpHeader.Length / 4 << 4;
        Checksum.Write(segment[TcpHeader.ChecksumOffset..], TransportChecksum(answer, start, IpHeader.Tcp, TcpHeader.Length, ip.IsV6));
        return VirtioHeader.Size + start + TcpHeader.Length;
    }

    /// <summary>An ICMP error about a packet (RFC 792, RFC 4443), sent back to its source.</summary>
    /// <param name="from">Who says so.</param>
    /// <param name="information">The second word of the header: a pointer or an MTU, as the network would have it.</param>
    public static int WriteError(ReadOnlySpan<byte> packet, bool isV6, UInt128 from, UInt128 to, IcmpError error, uint information, Span<byte> frame)
    {
        frame[..VirtioHeader.Size].Clear();
        var answer = frame[VirtioHeader.Size..];
        var overhead = IcmpHeader + (isV6 ? IpHeader.V6Length : IpHeader.V4Length);
        var quoted = Math.Min(packet.Length, (isV6 ? MaxErrorV6 : MaxErrorV4) - overhead);
        var protocol = isV6 ? IpHeader.IcmpV6 : IpHeader.Icmp;
        var start = WriteIp(answer, from, to, protocol, IcmpHeader + quoted);
        var message = answer[start..];
        (message[0], message[1]) = error.Code(isV6);
        Checksum.Write(message[2..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], information);
        packet[..quoted].CopyTo(message[IcmpHeader..]);
        Checksum.Write(message[2..], TransportChecksum(answer, start, protocol, IcmpHeader + quoted, isV6));
        return VirtioHeader.Size + start + IcmpHeader + quoted;
    }

    /// <summary>The beginning of a program's datagram as it must have been: for quoting it in an ICMP error.</summary>
    /// <returns>The length: IP and UDP header.</returns>
    /// <param name="payloadLength">Which isn't quoted.</param>
    public static int WriteUdpHeader(Span<byte> packet, IPEndPoint source, IPEndPoint destination, int payloadLength)
    {
        var start = WriteIp(packet, Ip.FromAddress(source.Address), Ip.FromAddress(destination.Address), IpHeader.Udp, QuotedHeader + payloadLength);
        var udp = packet.Slice(start, QuotedHeader);
        BinaryPrimitives.WriteUInt16BigEndian(udp, (ushort)source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], (ushort)destination.Port);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)(QuotedHeader + payloadLength));
        udp[6..8].Clear();
        return start + QuotedHeader;
    }

    /// <summary>The same for an echo request.</summary>
    public static int WriteEchoHeader(Span<byte> packet, TunEcho echo)
    {
        var source = Ip.FromAddress(echo.Client);
        var v6 = Ip.IsV6(source);
        var start = WriteIp(packet, source, Ip.FromAddress(echo.Destination), v6 ? IpHeader.IcmpV6 : IpHeader.Icmp, QuotedHeader);
        var message = packet.Slice(start, QuotedHeader);
        message.Clear();
        message[0] = v6 ? IpHeader.EchoRequestV6 : IpHeader.EchoRequest;
        BinaryPrimitives.WriteUInt16BigEndian(message[4..], echo.Identifier);
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], echo.Sequence);
        return start + QuotedHeader;
    }

    /// <summary>Of what was written at <paramref name="start"/>, whose own field is zero. ICMP for IPv4 has no pseudo header.</summary>
    internal static ushort TransportChecksum(ReadOnlySpan<byte> packet, int start, byte protocol, int length, bool isV6)
    {
        var pseudo = protocol == IpHeader.Icmp ? 0 : Checksum.PseudoHeader(packet[isV6 ? 8..40 : 12..20], protocol, length);
        return (ushort)~Checksum.Fold(Checksum.Add(pseudo, packet.Slice(start, length)));
    }
}

/// <summary>The errors that a good stack tells, for both families.</summary>
internal enum IcmpError
{
    PortUnreachable,
    HostUnreachable,
    Prohibited,
    ProtocolUnreachable,
    ReassemblyTimeout,

    /// <summary>IPv6 only: <c>information</c> points at it.</summary>
    UnrecognisedOption,

    /// <summary>IPv6 only, as above: a header field that can't be.</summary>
    ErroneousHeader,
}

internal static class IcmpCodes
{
    /// <summary>Type and code (RFC 792, RFC 1122 §3.2.2.1, RFC 4443 §3).</summary>
    public static (byte Type, byte Code) Code(this IcmpError error, bool isV6) => (error, isV6) switch
    {
        (IcmpError.PortUnreachable, false) => (3, 3),
        (IcmpError.HostUnreachable, false) => (3, 1),
        (IcmpError.Prohibited, false) => (3, 13),
        (IcmpError.ProtocolUnreachable, false) => (3, 2),
        (IcmpError.ReassemblyTimeout, false) => (11, 1),
        (IcmpError.PortUnreachable, true) => (1, 4),
        (IcmpError.HostUnreachable, true) => (1, 3),
        (IcmpError.Prohibited, true) => (1, 1),
        (IcmpError.ReassemblyTimeout, true) => (3, 1),
        (IcmpError.ProtocolUnreachable, true) => (4, 1),
        (IcmpError.UnrecognisedOption, true) => (4, 2),
        (IcmpError.ErroneousHeader, true) => (4, 0),
        _ => throw new ArgumentOutOfRangeException(nameof(error), error, "IPv4 has no such error."),
    };
}
