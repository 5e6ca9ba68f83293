using System.Buffers;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel;

/// <summary>
/// Takes as much as there is with one read of the inner stream and hands it up piece by piece. While nothing is buffered and nothing arrives it holds no buffer.
/// One read at a time. Doesn't own the inner stream.
/// </summary>
internal sealed class ReadAheadStream(Stream inner) : DuplexStream
{
    private const int Size = 64 * 1024;

    private byte[]? _buffer;
    private int _start;
    private int _end;

    /// <summary>What was read and not handed up.</summary>
    public ReadOnlySpan<byte> Buffered => _buffer.AsSpan(_start, _end - _start);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_start == _end)
        {
            if (buffer.IsEmpty)
            {
                await WaitAsync(cancellationToken);
                return 0;
            }

            // What fills a buffer of ours alone gains nothing from it.
            if (buffer.Length >= Size)
            {
                return await inner.ReadAsync(buffer, cancellationToken);
            }

            _buffer ??= ArrayPool<byte>.Shared.Rent(Size);
            _start = _end = 0;
            _end = await inner.ReadAsync(_buffer, cancellationToken);
        }

        var count = Math.Min(buffer.Length, _end - _start);
        _buffer.AsMemory(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    private async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        var readable = inner.ReadAsync(Memory<byte>.Empty, cancellationToken);
        if (!readable.IsCompleted && _buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
            _start = _end = 0;
        }

        _ = await readable;
    }
}
