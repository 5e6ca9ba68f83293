using System.Buffers.Binary;

namespace Fairlead.Linux.Tun.Packets;

[Flags]
internal enum TcpFlags : byte
{
    None = 0,
    Fin = 1,
    Syn = 2,
    Reset = 4,
    Acknowledge = 16,
}

internal static class TcpFlagTest
{
    public static bool Has(this TcpFlags flags, TcpFlags flag) => (flags & flag) == flag;
}

/// <summary>RFC 9293 §3.1: reading the header, and moving a segment to other ends.</summary>
internal static class TcpHeader
{
    public const int Length = 20;

    /// <summary>Where the checksum is.</summary>
    public const int ChecksumOffset = 16;

    public static bool TryRead(ReadOnlySpan<byte> packet, in IpHeader ip, out TcpFlags flags, out int headerLength)
    {
        flags = default;
        headerLength = 0;
        if (ip.PayloadLength < Length)
        {
            return false;
        }

        var tcp = packet[ip.Transport..];
        headerLength = (tcp[12] >> 4) * 4;
        flags = (TcpFlags)tcp[13];
        return headerLength >= Length && headerLength <= ip.PayloadLength;
    }

    public static uint Sequence(ReadOnlySpan<byte> packet, in IpHeader ip) => BinaryPrimitives.ReadUInt32BigEndian(packet[(ip.Transport + 4)..]);

    public static uint Acknowledgment(ReadOnlySpan<byte> packet, in IpHeader ip) => BinaryPrimitives.ReadUInt32BigEndian(packet[(ip.Transport + 8)..]);

    /// <summary>Gives a segment other addresses of the same family and other ports. All checksums stay as right, or as wrong, as they were.</summary>
    /// <param name="partial">The checksum is of the pseudo header only: the rest is done by whoever takes the packet.</param>
    public static void Rewrite(Span<byte> packet, in IpHeader ip, UInt128 source, ushort sourcePort, UInt128 destination, ushort destinationPort, bool partial)
    {
        var addresses = packet[ip.Addresses];
        var difference = Checksum.Without(Checksum.Add(0, addresses));
        var half = Ip.Write(source, addresses);
        Ip.Write(destination, addresses[half..]);
        difference += Checksum.Add(0, addresses);
        if (!ip.IsV6)
        {
            var header = packet[10..];
            Checksum.Write(header, Checksum.Update(Checksum.Read(header), difference));
        }

        var tcp = packet[ip.Transport..];
        var checksum = tcp[ChecksumOffset..];
        if (partial)
        {
            Checksum.Write(checksum, Checksum.Fold(Checksum.Read(checksum) + difference));
        }
        else
        {
            difference += Checksum.Without(Checksum.Add(0, tcp[..4]));
            difference += Checksum.Add(Checksum.Add(0, sourcePort), destinationPort);
            Checksum.Write(checksum, Checksum.Update(Checksum.Read(checksum), difference));
        }

        BinaryPrimitives.WriteUInt16BigEndian(tcp, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], destinationPort);
    }
}
