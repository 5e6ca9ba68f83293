using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>Capsules over the byte stream of an extended CONNECT; the same at both ends. Owns the stream. One reader, one writer.</summary>
/// <param name="disposed">Called once it is over.</param>
/// <param name="readAhead">Many small capsules come together: one read of the stream takes them all. Those with bulk are better read straight to where they are wanted.</param>
internal sealed class CapsuleStream(Stream stream, Action? disposed = null, bool readAhead = false) : IAsyncDisposable
{
    /// <summary>A capsule of a type we don't know is skipped up to this size (RFC 9297 §3.2); more is an attack.</summary>
    private const ulong MaxSkipped = 64 * 1024;

    private readonly byte[] _header = new byte[CapsuleHeader.MaxSize];
    private readonly ReadAheadStream? _ahead = readAhead ? new ReadAheadStream(stream) : null;

    /// <summary>The value of the next capsule, if that is of this type and all of it was read ahead; else empty.</summary>
    public ReadOnlySpan<byte> PeekValue(ulong type)
    {
        var ahead = _ahead is null ? [] : _ahead.Buffered;
        if (!CapsuleHeader.TryParse(ahead, out var header, out _) || header.Type != type)
        {
            return [];
        }

        var rest = ahead[CapsuleHeader.SizeOf(ahead)..];
        return header.Length <= (ulong)rest.Length ? rest[..(int)header.Length] : [];
    }

    private Stream Reads => _ahead ?? stream;

    /// <summary>Waits for the next capsule of a known type, without holding a buffer.</summary>
    /// <returns>Null when the stream ended.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<CapsuleHeader?> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            _ = await Reads.ReadAsync(Memory<byte>.Empty, cancellationToken);
            var have = 0;
            CapsuleHeader header;
            while (!CapsuleHeader.TryParse(_header.AsSpan(0, have), out header, out var missing))
            {
                var count = await Reads.ReadAsync(_header.AsMemory(have, missing), cancellationToken);
                if (count == 0)
                {
                    return have == 0 ? null : throw new FlowAbortedException(FlowFailure.LinkDown, "The stream ended inside a capsule.");
                }

                have += count;
            }

            if (header.Type is CapsuleType.Data or CapsuleType.FinalData or CapsuleType.Datagram or CapsuleType.Closed or CapsuleType.Abort)
            {
                return header.Length <= int.MaxValue ? header : throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a capsule without bounds.");
            }

            await SkipAsync(header.Length, cancellationToken);
        }
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => Reads.ReadAsync(buffer, cancellationToken);

    public ValueTask ReadExactlyAsync(Memory<byte> buffer, CancellationToken cancellationToken) => Reads.ReadExactlyAsync(buffer, cancellationToken);

    public async ValueTask SkipAsync(ulong length, CancellationToken cancellationToken)
    {
        if (length > MaxSkipped + FrameHeader.MaxData)
        {
            throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a capsule that is too large.");
        }

        var scrap = new byte[(int)Math.Min(length, 4096)];
        for (var left = (int)length; left > 0;)
        {
            var count = await Reads.ReadAsync(scrap.AsMemory(0, Math.Min(left, scrap.Length)), cancellationToken);
            left -= count > 0 ? count : throw new FlowAbortedException(FlowFailure.LinkDown, "The stream ended inside a capsule.");
        }
    }

    /// <param name="capsule">Header and value. Flushed: HTTP/2 stacks keep small writes otherwise.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> capsule, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(capsule, cancellationToken);
        await stream.FlushAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        disposed?.Invoke();
        return stream.DisposeAsync();
    }
}
