using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

internal enum PacketFault
{
    None,

    /// <summary>Truncated, a wrong version, lengths that don't fit, or a header that no host may accept: dropped silently.</summary>
    Malformed,
    BadChecksum,

    /// <summary>IPv6: an option that its sender wants to hear about (RFC 8200 §4.2).</summary>
    UnrecognisedOption,

    /// <summary>IPv6: a routing header with segments left (RFC 8200 §4.4).</summary>
    RoutingHeader,
}

/// <summary>Where things are in an IPv4 (RFC 791) or IPv6 (RFC 8200) packet. Made by <see cref="TryRead"/> only, which has checked that all of it is inside.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly struct IpHeader
{
    public const byte HopByHop = 0;
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte Routing = 43;
    public const byte Fragment = 44;
    public const byte IcmpV6 = 58;
    public const byte NoNext = 59;
    public const byte DestinationOptions = 60;

    /// <summary>ICMP types.</summary>
    public const byte EchoRequest = 8;
    public const byte EchoRequestV6 = 128;

    public const int V4Length = 20;
    public const int V6Length = 40;
    public const int FragmentLength = 8;
    private const int MaxExtensions = 8;

    public bool IsV6 { get; private init; }

    /// <summary>Of what begins at <see cref="Transport"/>.</summary>
    public byte Protocol { get; private init; }

    /// <summary>Where the transport header begins; in a fragment that isn't the first, the data.</summary>
    public int Transport { get; private init; }

    /// <summary>Of the whole packet, which may be less than what was read.</summary>
    public int Length { get; private init; }

    public bool IsFragment { get; private init; }

    public bool MoreFragments { get; private init; }

    /// <summary>In bytes.</summary>
    public int FragmentOffset { get; private init; }

    public uint FragmentId { get; private init; }

    /// <summary>IPv6: where the number of the header that begins at <see cref="Transport"/>, or of the fragment header before it, stands.</summary>
    public int NextHeaderField { get; private init; }

    public int PayloadLength => Length - Transport;

    /// <summary>Source and destination together.</summary>
    public Range Addresses => IsV6 ? 8..40 : 12..20;

    /// <param name="pointer">Where an IPv6 packet is at fault, for ICMP.</param>
    public static PacketFault TryRead(ReadOnlySpan<byte> packet, out IpHeader header, out int pointer)
    {
        header = default;
        pointer = 0;
        return packet.Length < V4Length ? PacketFault.Malformed : (packet[0] >> 4) switch
        {
            4 => ReadV4(packet, out header),
            6 when packet.Length >= V6Length => ReadV6(packet, out header, out pointer),
            _ => PacketFault.Malformed,
        };
    }

    /// <summary>True when the checksum of the transport's first <paramref name="length"/> bytes is right. ICMP for IPv4 has no pseudo header.</summary>
    public bool IsChecksumRight(ReadOnlySpan<byte> packet, int length) =>
        Checksum.Fold(Checksum.Add(Protocol == Icmp ? 0 : Checksum.PseudoHeader(packet[Addresses], Protocol, length), packet.Slice(Transport, length))) == 0xffff;

    private static PacketFault ReadV4(ReadOnlySpan<byte> packet, out IpHeader header)
    {
        header = default;
        var headerLength = (packet[0] & 0xf) * 4;
        int length = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        if (headerLength < V4Length || length < headerLength || length > packet.Length || HasSourceRoute(packet[V4Length..headerLength]))
        {
            return PacketFault.Malformed;
        }

        if (Checksum.Fold(Checksum.Add(0, packet[..headerLength])) != 0xffff)
        {
            return PacketFault.BadChecksum;
        }

        var fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        header = new IpHeader
        {
            Protocol = packet[9],
            Transport = headerLength,
            Length = length,
            IsFragment = (fragment & 0x3fff) != 0,
            MoreFragments = (fragment & 0x2000) != 0,
            FragmentOffset = (fragment & 0x1fff) * 8,
            FragmentId = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]),
        };
        return PacketFault.None;
    }

    /// <summary>Loose and strict source routes (RFC 7126 §4.3: drop). Other options are of no concern to a host that is the last one.</summary>
    private static bool HasSourceRoute(ReadOnlySpan<byte> options)
    {
        while (!options.IsEmpty && options[0] != 0)
        {
            if (options[0] is 131 or 137)
            {
                return true;
            }

            var length = options[0] == 1 ? 1 : options.Length > 1 ? options[1] : 0;
            if (length < 1 || length > options.Length || (length == 1 && options[0] != 1))
            {
                return true;
            }

            options = options[length..];
        }

        return false;
    }

    private static PacketFault ReadV6(ReadOnlySpan<byte> packet, out IpHeader header, out int pointer)
    {
        header = default;
        pointer = 0;
        var length = V6Length + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        if (length > packet.Length)
        {
            return PacketFault.Malformed;
        }

        var field = 6;
        var at = V6Length;
        for (var extensions = 0; extensions <= MaxExtensions; extensions++)
        {
            var next = packet[field];
            if (next is not (HopByHop or DestinationOptions or Routing or Fragment))
            {
                header = new IpHeader { IsV6 = true, Protocol = next, Transport = at, Length = length, NextHeaderField = field };
                return PacketFault.None;
            }

            if (at + 8 > length || (next == HopByHop && at != V6Length))
            {
                return PacketFault.Malformed;
            }

            if (next == Fragment)
            {
                var word = BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]);
                if ((word & 0xfff9) == 0)
                {
                    // Atomic (RFC 6946): whole by itself.
                    field = at;
                    at += FragmentLength;
                    continue;
                }

                header = new IpHeader
                {
                    IsV6 = true,
                    Protocol = packet[at],
                    Transport = at + FragmentLength,
                    Length = length,
                    IsFragment = true,
                    MoreFragments = (word & 1) != 0,
                    FragmentOffset = word & 0xfff8,
                    FragmentId = BinaryPrimitives.ReadUInt32BigEndian(packet[(at + 4)..]),
                    NextHeaderField = field,
                };
                return PacketFault.None;
            }

            var size = (packet[at + 1] + 1) * 8;
            if (at + size > length)
            {
                return PacketFault.Malformed;
            }

            if (next == Routing)
            {
                if (packet[at + 3] != 0)
                {
                    pointer = at + 2;
                    return PacketFault.RoutingHeader;
                }
            }
            else if (CheckOptions(packet, at + 2, at + size, out pointer) is not PacketFault.None and var fault)
            {
                return fault;
            }

            field = at;
            at += size;
        }

        return PacketFault.Malformed;
    }

    private static PacketFault CheckOptions(ReadOnlySpan<byte> packet, int at, int end, out int pointer)
    {
        pointer = 0;
        while (at < end)
        {
            var type = packet[at];
            if (type == 0)
            {
                at++;
                continue;
            }

            if (at + 2 > end || at + 2 + packet[at + 1] > end)
            {
                return PacketFault.Malformed;
            }

            // The two high bits say what a host does that doesn't know an option: 0 skips it. Router alert (5) is such a one.
            if (type >> 6 == 1)
            {
                return PacketFault.Malformed;
            }

            if (type >> 6 >= 2)
            {
                pointer = at;
                return PacketFault.UnrecognisedOption;
            }

            at += 2 + packet[at + 1];
        }

        return PacketFault.None;
    }
}
