using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>struct virtio_net_hdr (linux/virtio_net.h), which precedes every packet of a device with IFF_VNET_HDR: what is left to do to it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct VirtioHeader
{
    public const int Size = 10;

    public const byte NeedsChecksum = 1;
    public const byte NoSegments = 0;
    public const byte UdpSegments = 5;

    private const byte EcnBit = 0x80;
    private const byte Tcp4Segments = 1;
    private const byte Tcp6Segments = 4;

    public byte Flags;
    public byte SegmentType;

    /// <summary>Of all headers together.</summary>
    public ushort HeaderLength;

    /// <summary>Payload of each segment.</summary>
    public ushort SegmentSize;

    /// <summary>Where what the checksum covers begins, and how far from there the field is. The field holds the sum of the pseudo header.</summary>
    public ushort ChecksumStart;
    public ushort ChecksumOffset;

    public readonly bool IsPartial => (Flags & NeedsChecksum) != 0;

    /// <summary>Segments of another protocol than the packet's are nothing that a kernel sends.</summary>
    public readonly bool Fits(bool isV6, byte protocol) => (SegmentType & ~EcnBit) switch
    {
        NoSegments => true,
        Tcp4Segments => !isV6 && protocol == IpHeader.Tcp && SegmentSize > 0,
        Tcp6Segments => isV6 && protocol == IpHeader.Tcp && SegmentSize > 0,
        UdpSegments => protocol == IpHeader.Udp && SegmentSize > 0,
        _ => false,
    };

    public static VirtioHeader Read(ReadOnlySpan<byte> frame) => Unsafe.ReadUnaligned<VirtioHeader>(in MemoryMarshal.GetReference(frame[..Size]));

    /// <summary>Leaves the transport's checksum, whose field holds the sum of the pseudo header, to whoever takes the frame.</summary>
    public static void WritePartial(Span<byte> frame, int start, int offset)
    {
        var header = new VirtioHeader { Flags = NeedsChecksum, ChecksumStart = (ushort)start, ChecksumOffset = (ushort)offset };
        MemoryMarshal.Write(frame, header);
    }
}
