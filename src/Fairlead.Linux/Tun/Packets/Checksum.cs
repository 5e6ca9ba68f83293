using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fairlead.Linux.Tun.Packets;

/// <summary>
/// The Internet checksum (RFC 1071) and its update in place (RFC 1624). Sums are of 16-bit words in the order of this machine: one's complement sums don't mind, as long as the
/// field is read and written in the same order.
/// </summary>
internal static class Checksum
{
    /// <summary>Adds the words of <paramref name="data"/>; an odd last byte is padded with zero. Up to 4 GiB in all before it must be folded.</summary>
    public static ulong Add(ulong sum, ReadOnlySpan<byte> data)
    {
        foreach (var word in MemoryMarshal.Cast<byte, uint>(data))
        {
            sum += word;
        }

        var rest = data[(data.Length & ~3)..];
        if (rest.Length >= 2)
        {
            sum += MemoryMarshal.Read<ushort>(rest);
            rest = rest[2..];
        }

        return rest.IsEmpty ? sum : sum + MemoryMarshal.Read<ushort>([rest[0], 0]);
    }

    /// <summary>Adds a number as the network would have it.</summary>
    public static ulong Add(ulong sum, ushort value) => sum + (BitConverter.IsLittleEndian ? (ushort)((value >> 8) | (value << 8)) : value);

    public static ushort Fold(ulong sum)
    {
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)sum;
    }

    /// <summary>What has to be added to a sum so that <paramref name="before"/>, folded or not, is no longer in it.</summary>
    public static ulong Without(ulong before) => (ushort)~Fold(before);

    /// <summary>A checksum field after the sum of what it covers changed by <paramref name="difference"/> (RFC 1624, equation 3).</summary>
    public static ushort Update(ushort field, ulong difference) => (ushort)~Fold((ushort)~field + difference);

    /// <summary>The sum over the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1).</summary>
    /// <param name="addresses">Source and destination, as in the packet.</param>
    public static ulong PseudoHeader(ReadOnlySpan<byte> addresses, byte protocol, int length) =>
        Add(Add(Add(0, addresses), protocol), (ushort)length) + (length > ushort.MaxValue ? Add(0, (ushort)(length >> 16)) : 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Read(ReadOnlySpan<byte> field) => MemoryMarshal.Read<ushort>(field);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Span<byte> field, ushort checksum) => MemoryMarshal.Write(field, checksum);
}
