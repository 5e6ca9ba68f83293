using System.Buffers;
using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>A UDP association, or one of echo requests, in an HTTP/2 stream: RFC 9298 with DATAGRAM capsules and context 0; the same at both ends.</summary>
internal sealed class HttpDatagramFlow(CapsuleStream capsules, Action reset) : IDatagramFlow
{
    /// <summary>The largest UDP payload over IPv4.</summary>
    private const int MaxDatagram = 65507;

    /// <summary>The context id 0, one byte.</summary>
    private const int ContextSize = 1;

    /// <summary>Bytes of capsules that are written together; the largest datagram fits.</summary>
    private const int MaxBatch = 64 * 1024;

    private readonly byte[] _context = new byte[ContextSize];
    private readonly SemaphoreSlim _writer = new(1);
    private byte[]? _batch;
    private int _batched;
    private int _disposed;
    private bool _told;

    public bool HasDatagram => capsules.PeekValue(CapsuleType.Datagram) is [0, ..];

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (await capsules.ReadHeaderAsync(cancellationToken) is { } header)
            {
                if (header.Type == CapsuleType.Abort)
                {
                    throw await AbortCapsule.ReadAsync(capsules, header, cancellationToken);
                }

                if (header.Type != CapsuleType.Datagram || header.Length > ContextSize + MaxDatagram)
                {
                    throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a capsule that is no datagram.");
                }

                var payload = (int)header.Length - ContextSize;
                if (payload < 0)
                {
                    continue;
                }

                await capsules.ReadExactlyAsync(_context, cancellationToken);
                if (_context[0] != 0 || payload > buffer.Length)
                {
                    // RFC 9298 §4: datagrams of contexts that weren't agreed are dropped.
                    TunnelMetrics.DatagramDropped();
                    await capsules.SkipAsync((ulong)payload, cancellationToken);
                    continue;
                }

                await capsules.ReadExactlyAsync(buffer[..payload], cancellationToken);
                return payload;
            }

            return -1;
        }
        catch (FlowAbortedException e) when (e.Failure == FlowFailure.ProtocolError)
        {
            reset();
            throw;
        }
        catch (Exception e) when (e is not FlowAbortedException && (e is HttpRequestException || DirectConnection.IsConnectionFailure(e)))
        {
            return -1;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default)
    {
        if (datagram.Length > MaxDatagram)
        {
            throw new ArgumentException($"A datagram holds at most {MaxDatagram} bytes.", nameof(datagram));
        }

        await _writer.WaitAsync(cancellationToken);
        try
        {
            var length = CapsuleHeader.FixedSize + ContextSize + datagram.Length;
            if (_batched + length > MaxBatch)
            {
                await WriteBatchAsync(cancellationToken);
            }

            _batch ??= ArrayPool<byte>.Shared.Rent(MaxBatch);
            var capsule = _batch.AsSpan(_batched, length);
            new CapsuleHeader(CapsuleType.Datagram, (ulong)(ContextSize + datagram.Length)).WriteFixed(capsule);
            capsule[CapsuleHeader.FixedSize] = 0;
            datagram.Span.CopyTo(capsule[(CapsuleHeader.FixedSize + ContextSize)..]);
            _batched += length;
        }
        finally
        {
            _writer.Release();
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        await _writer.WaitAsync(cancellationToken);
        try
        {
            await WriteBatchAsync(cancellationToken);
        }
        finally
        {
            _writer.Release();
        }
    }

    public async ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default)
    {
        await _writer.WaitAsync(cancellationToken);
        try
        {
            await capsules.WriteAsync(AbortCapsule.Encode(reason), cancellationToken);
            _told = true;
        }
        catch (Exception e) when (e is HttpRequestException || DirectConnection.IsConnectionFailure(e))
        {
            // The other end is gone: nobody to tell.
        }
        finally
        {
            _writer.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            if (!_told)
            {
                // After an abort the stream ends in good order instead: a reset could overtake the reason.
                reset();
            }

            await capsules.DisposeAsync();
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteBatchAsync(CancellationToken cancellationToken)
    {
        if (_batch is not { } batch)
        {
            return;
        }

        var length = _batched;
        _batch = null;
        _batched = 0;
        try
        {
            await capsules.WriteAsync(batch.AsMemory(0, length), cancellationToken);

            // Not after a failure: whatever went wrong may still read it.
            ArrayPool<byte>.Shared.Return(batch);
        }
        catch (Exception e) when (e is HttpRequestException || DirectConnection.IsConnectionFailure(e))
        {
            throw new FlowAbortedException(FlowFailure.LinkDown, "The stream broke.", e);
        }
    }
}
