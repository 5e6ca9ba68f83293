using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel.Direct;

/// <summary>
/// A UDP association, or one of echo requests, in the bytes of a flow on a direct connection: each datagram after its length in two bytes, big-endian, many in one data frame. A
/// length that no datagram has begins the reason why the association ends, which is all that follows. The same at both ends. Owns the flow.
/// </summary>
/// <param name="ended">Called once it is disposed.</param>
internal sealed class DirectDatagramFlow(DirectFlow flow, Action? ended = null) : IDatagramFlow
{
    private const int LengthSize = 2;
    private const ushort ReasonMark = 0xFFFF;
    private const int MaxReason = 1024;

    /// <summary>After a reason was told: how long the other end may take to read it.</summary>
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(1);

    private readonly ReadAheadStream _ahead = new(new FlowStream(flow));
    private readonly byte[] _length = new byte[LengthSize];
    private readonly DatagramBatch _batch = new(flow.Headroom, LengthSize, static (place, length) => BinaryPrimitives.WriteUInt16BigEndian(place, (ushort)length), flow.WriteWithHeadroomAsync);
    private readonly TaskCompletionSource _received = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _disposed;

    public bool HasDatagram => _ahead.Buffered is [var high, var low, .. var rest] && ((high << 8) | low) is var length && length <= DatagramBatch.MaxDatagram && length <= rest.Length;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (true)
            {
                // Without a buffer, as long as nothing comes.
                _ = await _ahead.ReadAsync(Memory<byte>.Empty, cancellationToken);
                var have = await _ahead.ReadAtLeastAsync(_length, LengthSize, throwOnEndOfStream: false, cancellationToken);
                if (have == 0)
                {
                    _received.TrySetResult();
                    return -1;
                }

                int length = have == LengthSize ? BinaryPrimitives.ReadUInt16BigEndian(_length) : throw Broken("The flow ended inside a datagram.");
                if (length == ReasonMark)
                {
                    throw await ReadReasonAsync(cancellationToken);
                }

                if (length > DatagramBatch.MaxDatagram)
                {
                    throw Broken("The peer sent a datagram longer than there are.");
                }

                if (length <= buffer.Length)
                {
                    await _ahead.ReadExactlyAsync(buffer[..length], cancellationToken);
                    return length;
                }

                TunnelMetrics.DatagramDropped();
                await _ahead.ReadExactlyAsync(new byte[length], cancellationToken);
            }
        }
        catch (EndOfStreamException)
        {
            _received.TrySetResult();
            throw Broken("The flow ended inside a datagram.");
        }
        catch (FlowAbortedException e) when (e.Failure is FlowFailure.Reset or FlowFailure.LinkDown or FlowFailure.Draining)
        {
            // The carrier's end, not the far side's: the next datagram finds another way.
            _received.TrySetResult();
            return -1;
        }
        catch
        {
            _received.TrySetResult();
            throw;
        }
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default) => _batch.AddAsync(datagram, cancellationToken);

    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => _batch.FlushAsync(cancellationToken);

    public async ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default)
    {
        try
        {
            byte[] told = [ReasonMark >> 8, ReasonMark & 0xFF, .. FrameCodec.Outcome(FrameType.Abort, reason.Failure, reason.Message).AsSpan(FrameHeader.Size)];
            await _batch.EndAsync(
                flush: true,
                async token =>
                {
                    await flow.WriteAsync(told, token);
                    await flow.CompleteWritesAsync(token);
                },
                cancellationToken);

            // The other end then ends its way, too. A reset before that could overtake the reason.
            await _received.Task.WaitAsync(FarewellTimeout, cancellationToken);
        }
        catch (Exception e) when (e is FlowAbortedException or TimeoutException)
        {
            // The other end is gone, or silent: nobody to tell.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await flow.DisposeAsync();
            ended?.Invoke();
        }
    }

    private FlowAbortedException Broken(string what)
    {
        flow.Abort(FlowFailure.ProtocolError);
        return new FlowAbortedException(FlowFailure.ProtocolError, what);
    }

    /// <summary>All that follows, up to the end; this end's way is ended as well, so that the connection can carry the next flow.</summary>
    private async ValueTask<FlowAbortedException> ReadReasonAsync(CancellationToken cancellationToken)
    {
        var outcome = new byte[MaxReason];
        var count = await _ahead.ReadAtLeastAsync(outcome, outcome.Length, throwOnEndOfStream: false, cancellationToken);
        if (count is 0 or MaxReason)
        {
            return Broken("The peer sent a reason that can't be read.");
        }

        await _batch.EndAsync(flush: false, flow.CompleteWritesAsync, cancellationToken);
        var reason = FrameCodec.ParseOutcome(outcome.AsSpan(0, count));

        // Not one of those that this flow has for an end without a reason.
        return new FlowAbortedException(reason.Failure is FlowFailure.None or FlowFailure.Reset or FlowFailure.LinkDown ? FlowFailure.Unreachable : reason.Failure, reason.Message);
    }

    /// <summary>The flow's bytes, for reading.</summary>
    private sealed class FlowStream(DirectFlow flow) : DuplexStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => flow.ReadAsync(buffer, cancellationToken);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => flow.WriteAsync(buffer, cancellationToken);
    }
}
