using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>
/// Cuts a message of a transport protocol (its header already before its data) into packets that a device's MTU allows: one, where it fits. Gives each packet's frame header and
/// says which part of the message follows it, so that nothing is copied.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct FragmentCursor
{
    /// <summary>Room for any frame header.</summary>
    public const int MaxHeader = VirtioHeader.Size + IpHeader.V6Length + IpHeader.FragmentLength;

    private readonly UInt128 source;
    private readonly UInt128 destination;
    private readonly byte protocol;
    private readonly int length;
    private readonly uint identification;
    private readonly int whole;
    private readonly int piece;
    private int offset;

    /// <param name="length">Of the message: at most 65 535 bytes less the IP header.</param>
    /// <param name="identification">Different for each message between the two addresses for as long as fragments live.</param>
    public FragmentCursor(UInt128 source, UInt128 destination, byte protocol, int length, int mtu, uint identification)
    {
        this.source = source;
        this.destination = destination;
        this.protocol = protocol;
        this.length = length;
        this.identification = identification;
        whole = mtu - (IsV6 ? IpHeader.V6Length : IpHeader.V4Length);
        piece = (whole - (IsV6 ? IpHeader.FragmentLength : 0)) & ~7;
        offset = 0;
    }

    private readonly bool IsV6 => Ip.IsV6(source);

    /// <param name="header">Receives the frame's header.</param>
    /// <param name="at">Where the part of the message begins.</param>
    /// <returns>False when all is sent.</returns>
    public bool Next(Span<byte> header, out int headerLength, out int at, out int count)
    {
        at = offset;
        headerLength = 0;
        count = 0;
        if (offset >= length)
        {
            return false;
        }

        header[..VirtioHeader.Size].Clear();
        var packet = header[VirtioHeader.Size..];
        if (length <= whole)
        {
            count = length;
            headerLength = VirtioHeader.Size + PacketWriter.WriteIp(packet, source, destination, protocol, count);
        }
        else
        {
            count = Math.Min(piece, length - offset);
            var more = offset + count < length;
            if (IsV6)
            {
                var ip = PacketWriter.WriteIp(packet, source, destination, IpHeader.Fragment, IpHeader.FragmentLength + count);
                var fragment = packet[ip..];
                fragment[0] = protocol;
                fragment[1] = 0;
                BinaryPrimitives.WriteUInt16BigEndian(fragment[2..], (ushort)(offset | (more ? 1 : 0)));
                BinaryPrimitives.WriteUInt32BigEndian(fragment[4..], identification);
                headerLength = VirtioHeader.Size + ip + IpHeader.FragmentLength;
            }
            else
            {
                headerLength = VirtioHeader.Size
                    + PacketWriter.WriteIp(packet, source, destination, protocol, count, (ushort)identification, (ushort)((offset / 8) | (more ? 0x2000 : 0)));
            }
        }

        offset += count;
        return true;
    }
}
