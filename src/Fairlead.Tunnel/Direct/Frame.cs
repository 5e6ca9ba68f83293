using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tunnel.Direct;

/// <summary>What a frame of the direct carrier is. The numbers are on the wire (docs/adr/0001).</summary>
internal enum FrameType : byte
{
    /// <summary>Not on the wire: the connection ended between two frames.</summary>
    End = 0,

    /// <summary>Laptop to gateway, when no flow is on the connection: the target.</summary>
    Open = 1,

    /// <summary>Gateway to laptop: a <see cref="FlowFailure"/>, then a message.</summary>
    Answer = 2,
    Data = 3,

    /// <summary>No more data follows in this direction; after both, the connection is free for the next <see cref="Open"/>.</summary>
    Fin = 4,

    /// <summary>A <see cref="FlowFailure"/>, then a message; the connection ends.</summary>
    Abort = 5,

    /// <summary>Eight bytes that come back as <see cref="Pong"/>; only when no flow is on the connection.</summary>
    Ping = 6,
    Pong = 7,
}

/// <summary>Four bytes before each payload: the type, then the payload's length in 24 bits, big-endian.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct FrameHeader(FrameType Type, int Length)
{
    public const int Size = 4;

    /// <summary>Header and payload fill whole TLS records of 16 KiB (RFC 8446 §5.1), so that no record is a stub.</summary>
    public const int MaxData = (256 * 1024) - Size;

    public const int PingLength = 8;

    private const int MaxControl = 1024;

    public void Write(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, ((uint)Type << 24) | (uint)Length);

    /// <returns>False when no peer that keeps the protocol sends such a header.</returns>
    public static bool TryParse(ReadOnlySpan<byte> source, out FrameHeader header)
    {
        var word = BinaryPrimitives.ReadUInt32BigEndian(source);
        header = new FrameHeader((FrameType)(word >> 24), (int)(word & 0xFFFFFF));
        return header.Type switch
        {
            FrameType.Data => header.Length is > 0 and <= MaxData,
            FrameType.Open => header.Length is > 3 and <= MaxControl,
            FrameType.Answer or FrameType.Abort => header.Length is > 0 and <= MaxControl,
            FrameType.Fin => header.Length == 0,
            FrameType.Ping or FrameType.Pong => header.Length == PingLength,
            _ => false,
        };
    }
}

/// <summary>Payloads of the frames that are not data.</summary>
internal static class FrameCodec
{
    /// <summary>Between the host and the workload that the flow leaves from; in neither of them.</summary>
    private const byte ViaMark = (byte)' ';

    private const int MaxMessage = 500;

    public static byte[] Open(FlowTarget target)
    {
        if (!target.IsWellFormed)
        {
            throw new ArgumentException($"'{target}' is not a target that can be opened.", nameof(target));
        }

        var text = target.Via is null ? target.Host : $"{target.Host}{(char)ViaMark}{target.Via}";
        var frame = new byte[FrameHeader.Size + 3 + text.Length];
        new FrameHeader(FrameType.Open, frame.Length - FrameHeader.Size).Write(frame);
        frame[4] = (byte)target.Protocol;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(5), (ushort)target.Port);
        Encoding.ASCII.GetBytes(text, frame.AsSpan(7));
        return frame;
    }

    /// <summary>A frame, or nothing, and a data frame after it.</summary>
    public static byte[] WithData(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> data)
    {
        var both = new byte[frame.Length + FrameHeader.Size + data.Length];
        frame.CopyTo(both);
        new FrameHeader(FrameType.Data, data.Length).Write(both.AsSpan(frame.Length));
        data.CopyTo(both.AsSpan(frame.Length + FrameHeader.Size));
        return both;
    }

    /// <returns>Null when it is not a well-formed target.</returns>
    public static FlowTarget? ParseOpen(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 4 || payload[3..].ContainsAnyExceptInRange((byte)0x20, (byte)0x7e))
        {
            return null;
        }

        var text = payload[3..];
        var mark = text.IndexOf(ViaMark);
        var target = new FlowTarget(
            (TransportProtocol)payload[0],
            Encoding.ASCII.GetString(mark < 0 ? text : text[..mark]),
            BinaryPrimitives.ReadUInt16BigEndian(payload[1..]),
            mark < 0 ? null : Encoding.ASCII.GetString(text[(mark + 1)..]));
        return target.IsWellFormed ? target : null;
    }

    /// <param name="type"><see cref="FrameType.Answer"/> or <see cref="FrameType.Abort"/>.</param>
    public static byte[] Outcome(FrameType type, FlowFailure failure, string message)
    {
        var text = Encoding.UTF8.GetBytes(message.Length > MaxMessage / 2 ? message[..(MaxMessage / 2)] : message);
        var frame = new byte[FrameHeader.Size + 1 + text.Length];
        new FrameHeader(type, frame.Length - FrameHeader.Size).Write(frame);
        frame[4] = (byte)failure;
        text.CopyTo(frame.AsSpan(5));
        return frame;
    }

    /// <summary>A number of a later version is taken for <see cref="FlowFailure.ProtocolError"/>; control characters of the message are left out (it reaches logs and terminals).</summary>
    public static FlowRefusal ParseOutcome(ReadOnlySpan<byte> payload)
    {
        var failure = payload[0] <= (byte)FlowFailure.ProtocolError ? (FlowFailure)payload[0] : FlowFailure.ProtocolError;
        var message = payload.Length == 1 ? "" : string.Concat(Encoding.UTF8.GetString(payload[1..]).Where(c => !char.IsControl(c)));
        return new FlowRefusal(failure, message);
    }

    public static byte[] Ping(FrameType type, ReadOnlySpan<byte> echo)
    {
        var frame = new byte[FrameHeader.Size + FrameHeader.PingLength];
        new FrameHeader(type, FrameHeader.PingLength).Write(frame);
        echo.CopyTo(frame.AsSpan(FrameHeader.Size));
        return frame;
    }
}
