using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Fairlead.Tunnel.Http;

/// <summary>Capsule types (RFC 9297 §3.2) that flows use.</summary>
internal static class CapsuleType
{
    /// <summary>RFC 9297 §3.5: one HTTP datagram; for connect-udp a context id, then the payload (RFC 9298 §5).</summary>
    public const ulong Datagram = 0x00;

    /// <summary>Bytes of the stream (draft-ietf-httpbis-connect-tcp §4.1).</summary>
    public const ulong Data = 0x2028d7f0;

    /// <summary>The last bytes of the stream, possibly none (the same).</summary>
    public const ulong FinalData = 0x2028d7f1;

    /// <summary>Our own: the gateway's socket took every byte, the stream may be disposed. Not in the registry of RFC 9297, which others skip.</summary>
    public const ulong Closed = 0x2fa17d01;

    /// <summary>Our own: a <see cref="FlowFailure"/>, then a message. As above.</summary>
    public const ulong Abort = 0x2fa17d02;
}

/// <summary>The header of a capsule: two variable-length integers (RFC 9000 §16).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct CapsuleHeader(ulong Type, ulong Length)
{
    /// <summary>What <see cref="WriteFixed"/> takes: four bytes each, whatever the values, so that a header fits in room left before a payload.</summary>
    public const int FixedSize = 8;

    public const int MaxSize = 16;

    private const uint FourByteMark = 0x8000_0000;

    public void WriteFixed(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, FourByteMark | checked((uint)Type));
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], FourByteMark | checked((uint)Length));
    }

    /// <param name="missing">When false is returned: at least so many more bytes are needed, and none of them is beyond the header.</param>
    public static bool TryParse(ReadOnlySpan<byte> source, out CapsuleHeader header, out int missing)
    {
        header = default;
        var first = source.IsEmpty ? 1 : 1 << (source[0] >> 6);
        if (source.Length <= first)
        {
            missing = first + 1 - source.Length;
            return false;
        }

        var second = 1 << (source[first] >> 6);
        missing = first + second - source.Length;
        if (missing > 0)
        {
            return false;
        }

        missing = 0;
        header = new CapsuleHeader(ReadInteger(source[..first]), ReadInteger(source.Slice(first, second)));
        return true;
    }

    /// <summary>How long the header is at the start of this, which can be parsed.</summary>
    public static int SizeOf(ReadOnlySpan<byte> source)
    {
        var first = 1 << (source[0] >> 6);
        return first + (1 << (source[first] >> 6));
    }

    private static ulong ReadInteger(ReadOnlySpan<byte> bytes)
    {
        ulong value = bytes[0] & 0x3Fu;
        foreach (var b in bytes[1..])
        {
            value = (value << 8) | b;
        }

        return value;
    }
}
