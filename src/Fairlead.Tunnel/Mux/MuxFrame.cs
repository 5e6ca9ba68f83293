using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Mux;

/// <summary>What a frame of a shared connection is. The numbers are on the wire (docs/adr/0004).</summary>
internal enum MuxFrameType : byte
{
    /// <summary>Laptop to gateway: a new flow and its target. Numbers of flows only grow.</summary>
    Open = 1,

    /// <summary>Gateway to laptop: a <see cref="FlowFailure"/>, then a message. The flow is open when there was none.</summary>
    Answer = 2,
    Data = 3,

    /// <summary>No more data follows in this direction.</summary>
    Fin = 4,

    /// <summary>A <see cref="FlowFailure"/>, then a message: the flow is over; of flow 0, the connection.</summary>
    Abort = 5,

    /// <summary>The receiver took so many bytes more (four bytes, big-endian): as many may follow.</summary>
    Credit = 6,

    /// <summary>Comes back as <see cref="Pong"/>, with the same number in place of a flow's.</summary>
    Ping = 7,
    Pong = 8,

    /// <summary>Gateway to laptop: a <see cref="FlowFailure"/>, then a message: no new flows here; those that are open go on.</summary>
    Goodbye = 9,
}

/// <summary>Eight bytes before each payload: the type, the payload's length in 24 bits, the flow's number in 32, big-endian.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MuxHeader(MuxFrameType Type, int Length, uint Flow)
{
    public const int Size = 8;

    /// <summary>Payload of a data frame: what others wait for at most when their turn comes.</summary>
    public const int MaxData = 64 * 1024;

    /// <summary>Payload of any other frame.</summary>
    public const int MaxControl = 1024;

    public const int CreditLength = 4;

    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, ((uint)Type << 24) | (uint)Length);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], Flow);
    }

    /// <returns>False when no peer that keeps the protocol sends such a header.</returns>
    public static bool TryParse(ReadOnlySpan<byte> source, out MuxHeader header)
    {
        var word = BinaryPrimitives.ReadUInt32BigEndian(source);
        header = new MuxHeader((MuxFrameType)(word >> 24), (int)(word & 0xFFFFFF), BinaryPrimitives.ReadUInt32BigEndian(source[4..]));
        return header.Type switch
        {
            MuxFrameType.Data => header.Length is > 0 and <= MaxData && header.Flow > 0,
            MuxFrameType.Open => header.Length is > 3 and <= MaxControl && header.Flow > 0,
            MuxFrameType.Answer => header.Length is > 0 and <= MaxControl && header.Flow > 0,
            MuxFrameType.Abort => header.Length is > 0 and <= MaxControl,
            MuxFrameType.Fin => header.Length == 0 && header.Flow > 0,
            MuxFrameType.Credit => header.Length == CreditLength && header.Flow > 0,
            MuxFrameType.Ping or MuxFrameType.Pong => header.Length == 0,
            MuxFrameType.Goodbye => header.Length is > 0 and <= MaxControl && header.Flow == 0,
            _ => false,
        };
    }
}

/// <summary>Whole frames but those of data.</summary>
internal static class MuxFrames
{
    public static byte[] Open(uint flow, FlowTarget target) => Frame(MuxFrameType.Open, flow, FrameCodec.Open(target).AsSpan(FrameHeader.Size));

    /// <param name="type"><see cref="MuxFrameType.Answer"/>, <see cref="MuxFrameType.Abort"/> or <see cref="MuxFrameType.Goodbye"/>.</param>
    public static byte[] Outcome(MuxFrameType type, uint flow, FlowFailure failure, string message) =>
        Frame(type, flow, FrameCodec.Outcome(FrameType.Answer, failure, message).AsSpan(FrameHeader.Size));

    private static byte[] Frame(MuxFrameType type, uint flow, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[MuxHeader.Size + payload.Length];
        new MuxHeader(type, payload.Length, flow).Write(frame);
        payload.CopyTo(frame.AsSpan(MuxHeader.Size));
        return frame;
    }
}
