using System.Buffers;
using System.Net.Security;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Mux;

/// <summary>What becomes of the frames that a connection's reader finds; called one after the other, must not block.</summary>
internal interface IMuxFrames
{
    /// <summary>A frame of data begins: what <see cref="Data"/> brings from now on is its flow's.</summary>
    /// <exception cref="FlowAbortedException">The peer breaks the protocol, here and below.</exception>
    void Begin(MuxHeader header);

    void Data(ReadOnlySpan<byte> part);

    /// <summary>Any other frame, whole.</summary>
    void Take(MuxHeader header, ReadOnlySpan<byte> payload);

    /// <summary>That was all that came together.</summary>
    void Delivered();
}

/// <summary>The reading side of a shared connection: bytes to frames.</summary>
/// <param name="tls">Over <paramref name="records"/>.</param>
internal sealed class MuxReader(SslStream tls, RecordStream records, IMuxFrames frames)
{
    private const int SmallestBuffer = 16 * 1024;
    private const int LargestBuffer = 128 * 1024;

    private int _dataLeft;
    private long _bytes;

    /// <summary>Read since the beginning.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Until the connection ends. Once.</summary>
    /// <exception cref="FlowAbortedException">The peer broke the protocol, or said why it ends the connection.</exception>
    public async Task RunAsync()
    {
        byte[]? buffer = null;
        var (have, size) = (0, SmallestBuffer);
        while (true)
        {
            if (have == 0 && !records.HasRecord)
            {
                // While nothing comes, no buffer is held.
                var waiting = tls.ReadAsync(Memory<byte>.Empty, CancellationToken.None);
                if (!waiting.IsCompleted && buffer is not null)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                }

                _ = await waiting;
            }

            buffer ??= ArrayPool<byte>.Shared.Rent(size);
            var before = have;
            do
            {
                var count = await tls.ReadAsync(buffer.AsMemory(have), CancellationToken.None);
                if (count == 0)
                {
                    return;
                }

                have += count;
            }
            while (records.HasRecord && have < buffer.Length);
            Interlocked.Add(ref _bytes, have - before);
            var used = Parse(buffer.AsSpan(0, have));
            frames.Delivered();
            size = have == buffer.Length ? Math.Min(size * 2, LargestBuffer) : have < size / 8 ? Math.Max(size / 2, SmallestBuffer) : size;
            have -= used;
            var next = buffer.Length < size ? ArrayPool<byte>.Shared.Rent(size) : buffer;
            buffer.AsSpan(used, have).CopyTo(next);
            if (next != buffer)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = next;
            }

            if (size > SmallestBuffer)
            {
                // There is much, and perhaps always more: the event thread, which this may be, has other connections to serve.
                await Task.Yield();
            }
        }
    }

    /// <returns>How many bytes were used; what is left is the beginning of a frame.</returns>
    private int Parse(ReadOnlySpan<byte> source)
    {
        var rest = source;
        while (true)
        {
            if (_dataLeft > 0)
            {
                var part = rest[..Math.Min(rest.Length, _dataLeft)];
                if (part.IsEmpty)
                {
                    break;
                }

                frames.Data(part);
                _dataLeft -= part.Length;
                rest = rest[part.Length..];
                continue;
            }

            if (rest.Length < MuxHeader.Size)
            {
                break;
            }

            if (!MuxHeader.TryParse(rest, out var header))
            {
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a frame that is none.");
            }

            if (header.Type == MuxFrameType.Data)
            {
                frames.Begin(header);
                _dataLeft = header.Length;
                rest = rest[MuxHeader.Size..];
                continue;
            }

            if (rest.Length < MuxHeader.Size + header.Length)
            {
                break;
            }

            frames.Take(header, rest.Slice(MuxHeader.Size, header.Length));
            rest = rest[(MuxHeader.Size + header.Length)..];
        }

        return source.Length - rest.Length;
    }
}
