using System.Buffers;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>A UDP association, or one of echo requests, in an HTTP/2 stream: RFC 9298 with DATAGRAM capsules and context 0; the same at both ends.</summary>
internal sealed class HttpDatagramFlow(CapsuleStream capsules, Action reset) : IDatagramFlow
{
    /// <summary>The largest UDP payload over IPv4.</summary>
    private const int MaxDatagram = 65507;

    /// <summary>The context id 0, one byte.</summary>
    private const int ContextSize = 1;

    /// <summary>Datagrams that wait for the stream's window; one more is dropped, as a full socket buffer would.</summary>
    private const int MaxWaiting = 64;

    private readonly SemaphoreSlim _writer = new(1);
    private int _waiting;
    private int _disposed;
    private bool _told;

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

                var context = new byte[ContextSize];
                await capsules.ReadExactlyAsync(context, cancellationToken);
                if (context[0] != 0 || payload > buffer.Length)
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

    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default)
    {
        if (datagram.Length > MaxDatagram)
        {
            throw new ArgumentException($"A datagram holds at most {MaxDatagram} bytes.", nameof(datagram));
        }

        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            TunnelMetrics.DatagramDropped();
            return;
        }

        try
        {
            await _writer.WaitAsync(cancellationToken);
            try
            {
                var length = CapsuleHeader.FixedSize + ContextSize + datagram.Length;
                var capsule = ArrayPool<byte>.Shared.Rent(length);
                new CapsuleHeader(CapsuleType.Datagram, (ulong)(ContextSize + datagram.Length)).WriteFixed(capsule);
                capsule[CapsuleHeader.FixedSize] = 0;
                datagram.CopyTo(capsule.AsMemory(CapsuleHeader.FixedSize + ContextSize));
                await capsules.WriteAsync(capsule.AsMemory(0, length), cancellationToken);
                ArrayPool<byte>.Shared.Return(capsule);
            }
            catch (Exception e) when (e is HttpRequestException || DirectConnection.IsConnectionFailure(e))
            {
                throw new FlowAbortedException(FlowFailure.LinkDown, "The stream broke.", e);
            }
            finally
            {
                _writer.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
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
}
