using System.Buffers;
using System.Buffers.Binary;
using System.Net.Security;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Mux;

/// <summary>
/// The writing side of a shared connection. Frames of all flows gather in one buffer while the one before it is being written, so that what comes at
/// the same time leaves in one record; flows with more to send than there is room for take turns. Thread-safe.
/// </summary>
/// <param name="tls">Over <paramref name="records"/>.</param>
/// <param name="broken">Called when the connection can't be written to any more, and why.</param>
internal sealed class MuxWriter(SslStream tls, RecordStream records, Action<FlowAbortedException> broken)
{
    /// <summary>Data that waits to be written; with TLS's own bytes the records fill what <see cref="RecordStream"/> sends at once.</summary>
    private const int Room = 240 * 1024;

    /// <summary>Below this, what is left of the room waits for the next buffer.</summary>
    private const int LeastData = 1024;

    /// <summary>Answers to a peer that asks and does not read. Frames that are not data are bounded by what was read, not by room.</summary>
    private const int MaxPending = 1024 * 1024;

    /// <summary>One TLS record (RFC 8446 §5.1): nothing to gather.</summary>
    private const int OneRecord = 16 * 1024;

    private const int SmallestBuffer = 2048;

    private readonly Lock _lock = new();
    private readonly Queue<MuxSender> _queue = new();
    private byte[]? _out;
    private int _outCount;
    private bool _writing;
    private MuxSender? _lastToSend;
    private FlowAbortedException? _stopped;
    private long _bytes;

    /// <summary>Written since the beginning.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public bool IsStopped => Volatile.Read(ref _stopped) is not null;

    /// <summary>The connection has ended: nothing more is taken.</summary>
    /// <returns>The reason that was given before; null for the first one.</returns>
    public FlowAbortedException? Stop(FlowAbortedException reason) => Interlocked.CompareExchange(ref _stopped, reason, null);

    /// <summary>The open of a flow, and what travels with it; they leave with <see cref="Flush"/> at the latest.</summary>
    /// <exception cref="FlowAbortedException">The connection has ended.</exception>
    public void Append(MuxSender flow, ReadOnlySpan<byte> open, ReadOnlySpan<byte> early)
    {
        lock (_lock)
        {
            ThrowIfStopped();
            open.CopyTo(Reserve(open.Length));
            if (!early.IsEmpty)
            {
                AppendData(flow, early);
            }
        }
    }

    public void Flush()
    {
        bool start;
        lock (_lock)
        {
            start = BeginWriting();
        }

        WriteIf(start, soon: false);
    }

    /// <summary>A whole frame that is not data. Not sent where the connection has ended.</summary>
    /// <param name="soon">Others will probably follow at once: they shall leave together.</param>
    public void Send(ReadOnlySpan<byte> frame, bool soon = false)
    {
        bool start;
        lock (_lock)
        {
            if (IsStopped)
            {
                return;
            }

            frame.CopyTo(Reserve(frame.Length));
            start = BeginWriting();
        }

        WriteIf(start, soon);
    }

    /// <summary>Such a frame without a payload.</summary>
    public void Send(MuxFrameType type, uint number)
    {
        Span<byte> frame = stackalloc byte[MuxHeader.Size];
        new MuxHeader(type, 0, number).Write(frame);
        Send(frame);
    }

    public void SendCredit(uint flow, int count)
    {
        Span<byte> frame = stackalloc byte[MuxHeader.Size + MuxHeader.CreditLength];
        new MuxHeader(MuxFrameType.Credit, MuxHeader.CreditLength, flow).Write(frame);
        BinaryPrimitives.WriteInt32BigEndian(frame[MuxHeader.Size..], count);
        Send(frame);
    }

    /// <exception cref="FlowAbortedException">The flow or the connection has ended.</exception>
    public void SendFin(MuxSender flow)
    {
        lock (_lock)
        {
            flow.ThrowIfFailed();
            ThrowIfStopped();
        }

        Send(MuxFrameType.Fin, flow.Flow);
    }

    /// <returns>True when all was taken; else the rest waits for <see cref="MuxSender.SentAsync"/>.</returns>
    /// <exception cref="FlowAbortedException">The flow or the connection has ended.</exception>
    public bool TrySend(MuxSender flow, ReadOnlyMemory<byte> data)
    {
        bool start, alone;
        lock (_lock)
        {
            flow.ThrowIfFailed();
            ThrowIfStopped();
            alone = flow == _lastToSend;
            _lastToSend = flow;
            if (_queue.Count == 0)
            {
                data = Move(flow, data, int.MaxValue);
            }

            if (!data.IsEmpty)
            {
                flow.Wait(data);
                Enqueue(flow);
            }

            start = BeginWriting();
        }

        // Where several flows are at work, or one begins, more comes at once; one that goes on alone should not wait for a thread.
        WriteIf(start, soon: !alone);
        return data.IsEmpty;
    }

    /// <returns>False when that is more than there is: nothing changed.</returns>
    public bool TryAddCredit(MuxSender flow, int count)
    {
        bool start;
        lock (_lock)
        {
            if (count is <= 0 or > MuxFlow.LargestWindow || flow.Credit + count > MuxFlow.LargestWindow)
            {
                return false;
            }

            flow.Credit += count;
            Enqueue(flow);
            start = BeginWriting();
        }

        WriteIf(start, soon: false);
        return true;
    }

    /// <summary>The flow is over: nothing more of it is sent.</summary>
    public void Drop(MuxSender flow, FlowAbortedException reason)
    {
        lock (_lock)
        {
            flow.Fail(reason);
        }
    }

    private void ThrowIfStopped()
    {
        if (Volatile.Read(ref _stopped) is { } reason)
        {
            throw MuxFlow.Again(reason);
        }
    }

    /// <summary>Under the lock, as all that follow: to the end of those that wait for their turn, if it waits for nothing else.</summary>
    private void Enqueue(MuxSender flow)
    {
        if (!flow.Queued && !flow.Waiting.IsEmpty && flow.Credit > 0)
        {
            flow.Queued = true;
            _queue.Enqueue(flow);
        }
    }

    /// <summary>What room and credit allow, and no more than <paramref name="most"/>.</summary>
    /// <returns>The rest.</returns>
    private ReadOnlyMemory<byte> Move(MuxSender flow, ReadOnlyMemory<byte> data, int most)
    {
        while (!data.IsEmpty && most > 0)
        {
            var wanted = Math.Min(Math.Min(data.Length, flow.Credit), Math.Min(most, MuxHeader.MaxData));
            var count = Math.Min(wanted, Room - _outCount - MuxHeader.Size);
            if (count <= 0 || (count < wanted && count < LeastData))
            {
                break;
            }

            AppendData(flow, data.Span[..count]);
            data = data[count..];
            most -= count;
        }

        return data;
    }

    /// <summary>Those that wait take turns, a frame each, while there is room.</summary>
    private void Fill()
    {
        while (_queue.TryPeek(out var flow))
        {
            var waiting = flow.Waiting;
            var rest = Move(flow, waiting, MuxHeader.MaxData);
            if (rest.Length == waiting.Length && flow.Credit > 0 && !waiting.IsEmpty)
            {
                return;
            }

            _queue.Dequeue();
            flow.Queued = false;
            flow.Take(rest);
            Enqueue(flow);
        }
    }

    private void AppendData(MuxSender flow, ReadOnlySpan<byte> data)
    {
        flow.Credit -= data.Length;
        var destination = Reserve(MuxHeader.Size + data.Length);
        new MuxHeader(MuxFrameType.Data, data.Length, flow.Flow).Write(destination);
        data.CopyTo(destination[MuxHeader.Size..]);
    }

    private Span<byte> Reserve(int count)
    {
        var needed = _outCount + count;
        if (_out is null || _out.Length < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _out is null ? SmallestBuffer : 2 * _out.Length));
            if (_out is not null)
            {
                _out.AsSpan(0, _outCount).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_out);
            }

            _out = larger;
        }

        var place = _out.AsSpan(_outCount, count);
        _outCount = needed;
        return place;
    }

    /// <returns>Whether the caller is the one to write, once it has left the lock.</returns>
    private bool BeginWriting()
    {
        if (_writing || IsStopped)
        {
            return false;
        }

        _writing = true;
        return true;
    }

    /// <summary>Outside the lock.</summary>
    /// <param name="start">What <see cref="BeginWriting"/> said.</param>
    /// <param name="soon">On another thread, so that what comes until then goes with it; else here and now.</param>
    private void WriteIf(bool start, bool soon)
    {
        if (!start)
        {
            if (Volatile.Read(ref _outCount) > MaxPending)
            {
                broken(new FlowAbortedException(FlowFailure.ProtocolError, "The peer reads nothing."));
            }
        }
        else if (soon)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static writer => writer.BeginWrite(), this, preferLocal: true);
        }
        else
        {
            BeginWrite();
        }
    }

    /// <summary>It ends with the connection at the latest, and reports to nobody but that.</summary>
    private void BeginWrite() => _ = WriteAsync();

    /// <summary>Until nothing is left to write.</summary>
    private async Task WriteAsync()
    {
        try
        {
            while (true)
            {
                byte[] buffer;
                int count;
                lock (_lock)
                {
                    Fill();
                    if (_out is null)
                    {
                        _writing = false;
                        return;
                    }

                    (buffer, count) = (_out, _outCount);
                    (_out, _outCount) = (null, 0);
                }

                if (count <= OneRecord)
                {
                    await tls.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                }
                else
                {
                    records.BeginGather();
                    await tls.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                    await records.EndGatherAsync(CancellationToken.None);
                }

                ArrayPool<byte>.Shared.Return(buffer);
                Interlocked.Add(ref _bytes, count);
            }
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e) || (e is InvalidOperationException && IsStopped))
        {
            broken(new FlowAbortedException(FlowFailure.LinkDown, e.Message, e));
        }
    }
}
