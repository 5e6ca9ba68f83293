using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Fairlead.Kubernetes.Spdy;

/// <summary>The header of a frame of SPDY/3.1 (https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ §2.2).</summary>
/// <param name="IsControl">Else it is data.</param>
/// <param name="Id">Of the stream for data; for control the version and the type.</param>
/// <param name="Length">Of what follows, at most 2^24 - 1.</param>
internal readonly record struct SpdyFrameHeader(bool IsControl, uint Id, byte Flags, int Length)
{
    public const int Size = 8;
    public const byte Fin = 1;
    private const ushort Version = 3;

    public bool IsFin => (Flags & Fin) != 0;

    /// <summary>Null when it is data, or of another version.</summary>
    public SpdyControl? Control => IsControl && Id >> 16 == Version ? (SpdyControl)(ushort)Id : null;

    public static SpdyFrameHeader ForControl(SpdyControl type, int length) => new(true, ((uint)Version << 16) | (ushort)type, 0, length);

    public static SpdyFrameHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var word = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        var rest = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        return new SpdyFrameHeader(word >> 31 == 1, word & 0x7fff_ffff, (byte)(rest >> 24), (int)(rest & 0xff_ffff));
    }

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Id | (IsControl ? 0x8000_0000 : 0));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], ((uint)Flags << 24) | (uint)Length);
    }
}

/// <summary>Types of control frames (§2.6).</summary>
internal enum SpdyControl : ushort
{
    SynStream = 1,
    SynReply = 2,
    RstStream = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
    Headers = 8,
    WindowUpdate = 9,
}

/// <summary>
/// Writes the frames that open streams. Their headers are one zlib stream for the whole connection (§2.6.10); the dictionary that the protocol has for it is not
/// used, which zlib lets the writer choose (RFC 1950 §2.2).
/// </summary>
internal sealed class SpdyOpener : IDisposable
{
    private readonly MemoryStream _compressed = new();
    private readonly ZLibStream _compressor;

    public SpdyOpener() => _compressor = new ZLibStream(_compressed, CompressionLevel.Fastest, leaveOpen: true);

    /// <param name="id">Odd, and higher than the ones before.</param>
    /// <param name="fin">We will send nothing on it.</param>
    /// <param name="headers">Names in lower case.</param>
    public byte[] Open(uint id, bool fin, params ReadOnlySpan<(string Name, string Value)> headers)
    {
        _compressed.SetLength(0);
        Span<byte> number = stackalloc byte[4];
        WriteNumber(headers.Length, number);
        foreach (var (name, value) in headers)
        {
            WriteText(name, number);
            WriteText(value, number);
        }

        _compressor.Flush();

        // Stream, no associated stream, highest priority.
        const int FixedLength = 10;
        var frame = new byte[SpdyFrameHeader.Size + FixedLength + (int)_compressed.Length];
        (SpdyFrameHeader.ForControl(SpdyControl.SynStream, frame.Length - SpdyFrameHeader.Size) with { Flags = fin ? SpdyFrameHeader.Fin : (byte)0 }).Write(frame);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(SpdyFrameHeader.Size), id);
        _compressed.GetBuffer().AsSpan(0, (int)_compressed.Length).CopyTo(frame.AsSpan(SpdyFrameHeader.Size + FixedLength));
        return frame;
    }

    public void Dispose()
    {
        _compressor.Dispose();
        _compressed.Dispose();
    }

    private void WriteText(string text, Span<byte> number)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        WriteNumber(bytes.Length, number);
        _compressor.Write(bytes);
    }

    private void WriteNumber(int value, Span<byte> number)
    {
        BinaryPrimitives.WriteInt32BigEndian(number, value);
        _compressor.Write(number);
    }
}
