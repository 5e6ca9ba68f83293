using System.Buffers;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel;

/// <summary>The sending side of a flow of datagrams: those that are sent together are written together. Thread-safe.</summary>
/// <param name="headroom">Bytes that the carrier wants before what it writes.</param>
/// <param name="prefix">Bytes before each datagram.</param>
/// <param name="writePrefix">Fills them in; told the datagram's length.</param>
/// <param name="write">Takes the headroom and what follows it.</param>
#pragma warning disable CA1001 // a semaphore whose wait handle is never taken holds nothing to dispose
internal sealed class DatagramBatch(int headroom, int prefix, Action<Span<byte>, int> writePrefix, Func<Memory<byte>, CancellationToken, ValueTask> write)
#pragma warning restore CA1001
{
    /// <summary>The largest UDP payload over IPv4.</summary>
    public const int MaxDatagram = 65507;

    /// <summary>Bytes that are written together; the largest datagram fits.</summary>
    private const int Size = 64 * 1024;

    private readonly SemaphoreSlim _lock = new(1);
    private byte[]? _batch;
    private int _used;
    private bool _ended;

    /// <summary>Takes a datagram, and writes those before it where there is no room for it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask AddAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken)
    {
        if (datagram.Length > MaxDatagram)
        {
            throw new ArgumentException($"A datagram holds at most {MaxDatagram} bytes.", nameof(datagram));
        }

        await _lock.WaitAsync(cancellationToken);
        try
        {
            var length = prefix + datagram.Length;
            if (_batch is not null && _used + length > Size)
            {
                await WriteAsync(cancellationToken);
            }

            if (_batch is null)
            {
                _batch = ArrayPool<byte>.Shared.Rent(Size);
                _used = headroom;
            }

            var place = _batch.AsSpan(_used, length);
            writePrefix(place, datagram.Length);
            datagram.Span.CopyTo(place[prefix..]);
            _used += length;
        }
        finally
        {
            _lock.Release();
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            await WriteAsync(cancellationToken);
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>Writes <paramref name="last"/>; what is sent after that is sent to nobody, and lost.</summary>
    /// <param name="flush">Whether what was taken goes before it, or is lost as well.</param>
    public async ValueTask EndAsync(bool flush, Func<CancellationToken, ValueTask> last, CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            if (flush)
            {
                await WriteAsync(cancellationToken);
            }

            _ended = true;
            await last(cancellationToken);
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>Under the lock.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteAsync(CancellationToken cancellationToken)
    {
        if (_batch is not { } batch)
        {
            return;
        }

        _batch = null;
        if (!_ended)
        {
            await write(batch.AsMemory(0, _used), cancellationToken);
        }

        // Not after a failure: whatever went wrong may still read it.
        ArrayPool<byte>.Shared.Return(batch);
    }
}
