using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>A UDP association, or one of echo requests, in an HTTP/2 stream: RFC 9298 with DATAGRAM capsules and context 0; the same at both ends.</summary>
internal sealed class HttpDatagramFlow(CapsuleStream capsules, Action reset) : IDatagramFlow
{
    /// <summary>The context id 0, one byte.</summary>
    private const int ContextSize = 1;

    private readonly byte[] _context = new byte[ContextSize];
    private readonly DatagramBatch _batch = new(headroom: 0, CapsuleHeader.FixedSize + ContextSize, WritePrefix, (datagrams, cancellationToken) => WriteAsync(capsules, datagrams, cancellationToken));
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

                if (header.Type != CapsuleType.Datagram || header.Length > ContextSize + DatagramBatch.MaxDatagram)
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

    public ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default) => _batch.AddAsync(datagram, cancellationToken);

    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => _batch.FlushAsync(cancellationToken);

    public async ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default)
    {
        try
        {
            await _batch.EndAsync(flush: true, token => WriteAsync(capsules, AbortCapsule.Encode(reason), token), cancellationToken);
            _told = true;
        }
        catch (FlowAbortedException)
        {
            // The other end is gone: nobody to tell.
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

    private static void WritePrefix(Span<byte> place, int length)
    {
        new CapsuleHeader(CapsuleType.Datagram, (ulong)(ContextSize + length)).WriteFixed(place);
        place[CapsuleHeader.FixedSize] = 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask WriteAsync(CapsuleStream capsules, ReadOnlyMemory<byte> written, CancellationToken cancellationToken)
    {
        try
        {
            await capsules.WriteAsync(written, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException || DirectConnection.IsConnectionFailure(e))
        {
            throw new FlowAbortedException(FlowFailure.LinkDown, "The stream broke.", e);
        }
    }
}
