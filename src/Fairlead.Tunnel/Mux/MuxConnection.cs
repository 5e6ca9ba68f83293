using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Mux;

/// <summary>What an end of a shared connection does with frames that are its own affair. Called by the connection's reader, one after the other; must not block.</summary>
internal interface IMuxEnd
{
    /// <param name="header">Open, Answer, Ping, Pong or Goodbye.</param>
    /// <exception cref="FlowAbortedException">It is out of place here: <see cref="FlowFailure.ProtocolError"/>.</exception>
    void Take(MuxHeader header, ReadOnlySpan<byte> payload);
}

/// <summary>
/// One mutual-TLS connection with many flows, the same at both ends. Frames of all flows gather in one buffer while the one before it is being written,
/// so that what comes at the same time leaves in one record; flows with much to send take turns. Thread-safe. Owns the connection.
/// </summary>
internal sealed class MuxConnection : IAsyncDisposable
{
    /// <summary>The frames of docs/adr/0004, version 1.</summary>
    public static readonly SslApplicationProtocol Protocol = new("fairlead-mux/1");

    /// <summary>Data that waits to be written; with TLS's own bytes the records fill what <see cref="RecordStream"/> sends at once.</summary>
    private const int Room = 240 * 1024;

    /// <summary>Below this, what is left of the room waits for the next buffer.</summary>
    private const int LeastData = 1024;

    /// <summary>Answers to a peer that asks and does not read. Frames that are not data are bounded by what was read, not by room.</summary>
    private const int MaxPending = 1024 * 1024;

    /// <summary>What all windows of a connection may grow by: their memory where every reader stops at once.</summary>
    private const int MaxGrowth = 16 * 1024 * 1024;

    private const int SmallestRead = 16 * 1024;
    private const int LargestRead = 128 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<uint, MuxFlow> _flows = [];
    private readonly Queue<MuxFlow> _queue = new();
    private readonly SslStream _tls;
    private readonly RecordStream _records;
    private readonly bool _client;
    private byte[]? _out;
    private int _outCount;
    private bool _writing;
    private MuxFlow? _lastToSend;
    private FlowAbortedException? _closed;
    private uint _newest;
    private long _bytes;
    private int _growth = MaxGrowth;

    // The reader's own.
    private readonly List<MuxFlow> _received = [];
    private MuxFlow? _dataFlow;
    private int _dataLeft;

    /// <param name="tls">Authenticated, over <paramref name="records"/>.</param>
    /// <param name="client">Which end this is, for the metrics.</param>
    public MuxConnection(SslStream tls, RecordStream records, bool client)
    {
        (_tls, _records, _client) = (tls, records, client);
        TunnelMetrics.Connections(1, client);
    }

    /// <summary>Flows that are open or being opened.</summary>
    public int Flows
    {
        get
        {
            lock (_lock)
            {
                return _flows.Count;
            }
        }
    }

    /// <summary>Both ways, since the beginning.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public bool IsClosed => Volatile.Read(ref _closed) is not null;

    /// <summary>Reads until the connection ends, and ends every flow then. Once.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<FlowAbortedException> RunAsync(IMuxEnd end)
    {
        var reason = new FlowAbortedException(FlowFailure.LinkDown, "The connection ended.");
        try
        {
            await ReadAsync(end);
        }
        catch (FlowAbortedException e)
        {
            reason = e;
            if (e.Failure == FlowFailure.ProtocolError)
            {
                Abort(e.Failure, e.Message);
            }
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e) || e is OperationCanceledException || (e is InvalidOperationException && IsClosed))
        {
            // SslStream calls itself unauthenticated when it is disposed between its two checks.
            reason = new FlowAbortedException(FlowFailure.LinkDown, e.Message, e);
        }

        reason = Close(reason);
        MuxFlow[] flows;
        lock (_lock)
        {
            flows = [.. _flows.Values];
            _flows.Clear();
        }

        Array.ForEach(flows, flow => flow.End(reason));
        return reason;
    }

    /// <summary>A flow that the peer asked for.</summary>
    /// <exception cref="FlowAbortedException">Its number was used before.</exception>
    public MuxFlow Accept(uint id)
    {
        var flow = new MuxFlow(this, id);
        lock (_lock)
        {
            if (id <= _newest)
            {
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The number of a flow was used again.");
            }

            _newest = id;
            _flows.Add(id, flow);
        }

        return flow;
    }

    /// <summary>A new flow: the open, and what travels with it, at most <see cref="EarlyData.MaxLength"/>.</summary>
    /// <exception cref="FlowAbortedException">The connection has ended.</exception>
    public MuxFlow Open(FlowTarget target, ReadOnlySpan<byte> early)
    {
        bool start;
        MuxFlow flow;
        lock (_lock)
        {
            ThrowIfClosed();
            flow = new MuxFlow(this, ++_newest) { Answer = new TaskCompletionSource<FlowRefusal>() };
            _flows.Add(flow.Id, flow);
            Append(MuxFrames.Open(flow.Id, target));
            if (!early.IsEmpty)
            {
                AppendData(flow, early);
            }

            start = BeginWriting();
        }

        WriteIf(start, soon: false);
        return flow;
    }

    public bool TryFind(uint id, [NotNullWhen(true)] out MuxFlow? flow)
    {
        lock (_lock)
        {
            return _flows.TryGetValue(id, out flow);
        }
    }

    /// <summary>A whole frame that is not data. Not sent where the connection has ended.</summary>
    /// <param name="soon">Others will probably follow at once: they shall leave together.</param>
    public void Send(ReadOnlySpan<byte> frame, bool soon = false)
    {
        bool start;
        lock (_lock)
        {
            if (_closed is not null)
            {
                return;
            }

            Append(frame);
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

    /// <returns>True when all was taken; else the flow waits until <see cref="MuxFlow.Sent"/>.</returns>
    /// <exception cref="FlowAbortedException">The flow or the connection has ended.</exception>
    public bool TrySend(MuxFlow flow, ReadOnlyMemory<byte> data)
    {
        bool start, alone;
        lock (_lock)
        {
            flow.ThrowIfFailed();
            ThrowIfClosed();
            alone = flow == _lastToSend;
            _lastToSend = flow;
            if (_queue.Count == 0)
            {
                data = Move(flow, data, int.MaxValue);
            }

            if (!data.IsEmpty)
            {
                flow.BeginWait(data);
                Enqueue(flow);
            }

            start = BeginWriting();
        }

        // Where several flows are at work, or one begins, more comes at once; one that goes on alone should not wait for a thread.
        WriteIf(start, soon: !alone);
        return data.IsEmpty;
    }

    /// <exception cref="FlowAbortedException">The flow or the connection has ended.</exception>
    public void SendFin(MuxFlow flow)
    {
        lock (_lock)
        {
            flow.ThrowIfFailed();
            ThrowIfClosed();
        }

        Send(MuxFrameType.Fin, flow.Id);
    }

    public void SendCredit(MuxFlow flow, int count)
    {
        Span<byte> frame = stackalloc byte[MuxHeader.Size + MuxHeader.CreditLength];
        new MuxHeader(MuxFrameType.Credit, MuxHeader.CreditLength, flow.Id).Write(frame);
        BinaryPrimitives.WriteInt32BigEndian(frame[MuxHeader.Size..], count);
        Send(frame);
    }

    /// <returns>Whether a window may be larger by so many bytes.</returns>
    public bool TryGrow(int count)
    {
        if (Interlocked.Add(ref _growth, -count) >= 0)
        {
            return true;
        }

        Interlocked.Add(ref _growth, count);
        return false;
    }

    /// <summary>A window that had grown so much is gone.</summary>
    public void Shrink(int count) => Interlocked.Add(ref _growth, count);

    /// <summary>Tells the peer, unless the flow is over there already.</summary>
    public void SendAbort(MuxFlow flow, FlowFailure failure, string message)
    {
        if (Forget(flow))
        {
            Send(MuxFrames.Outcome(MuxFrameType.Abort, flow.Id, failure, message));
        }
    }

    /// <summary>What still comes for it is dropped.</summary>
    /// <returns>False when it was over already.</returns>
    public bool Forget(MuxFlow flow)
    {
        lock (_lock)
        {
            return _flows.Remove(flow.Id);
        }
    }

    /// <summary>Whoever waits for the answer to an open is let go.</summary>
    public void AbortUnanswered(FlowFailure failure)
    {
        MuxFlow[] unanswered;
        lock (_lock)
        {
            unanswered = [.. _flows.Values.Where(flow => flow.Answer is { Task.IsCompleted: false })];
        }

        Array.ForEach(unanswered, flow => flow.Abort(failure));
    }

    /// <summary>Whoever waits to send on this flow hears why that is over.</summary>
    public void DropWaiting(MuxFlow flow, FlowAbortedException reason)
    {
        lock (_lock)
        {
            if (!flow.Waiting.IsEmpty)
            {
                flow.Waiting = default;
                flow.WaitFailed(reason);
            }
        }
    }

    /// <summary>Tells the peer why, if that is possible at once, and ends the connection and with it every flow.</summary>
    public void Abort(FlowFailure failure, string message)
    {
        Send(MuxFrames.Outcome(MuxFrameType.Abort, 0, failure, message));
        Close(new FlowAbortedException(failure, message));
    }

    /// <summary>Ends the connection; the reader then ends the flows.</summary>
    /// <returns>Why it ended: the first reason that was given.</returns>
    public FlowAbortedException Close(FlowAbortedException reason)
    {
        var first = Interlocked.CompareExchange(ref _closed, reason, null);
        if (first is not null)
        {
            return first;
        }

        TunnelMetrics.Connections(-1, _client);
        _records.Dispose();
        return reason;
    }

    public async ValueTask DisposeAsync()
    {
        Close(new FlowAbortedException(FlowFailure.LinkDown, "The connection was closed here."));
        await _tls.DisposeAsync();
    }

    private async Task ReadAsync(IMuxEnd end)
    {
        byte[]? buffer = null;
        var (have, size) = (0, SmallestRead);
        while (true)
        {
            if (have == 0 && !_records.HasRecord)
            {
                // While nothing comes, no buffer is held.
                var waiting = _tls.ReadAsync(Memory<byte>.Empty, CancellationToken.None);
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
                var count = await _tls.ReadAsync(buffer.AsMemory(have), CancellationToken.None);
                if (count == 0)
                {
                    return;
                }

                have += count;
            }
            while (_records.HasRecord && have < buffer.Length);
            Interlocked.Add(ref _bytes, have - before);
            var used = Parse(buffer.AsSpan(0, have), end);
            Deliver();
            size = have == buffer.Length ? Math.Min(size * 2, LargestRead) : have < size / 8 ? Math.Max(size / 2, SmallestRead) : size;
            have -= used;
            var next = buffer.Length < size ? ArrayPool<byte>.Shared.Rent(size) : buffer;
            buffer.AsSpan(used, have).CopyTo(next);
            if (next != buffer)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = next;
            }
        }
    }

    /// <returns>How many bytes were used; what is left is the beginning of a frame.</returns>
    private int Parse(ReadOnlySpan<byte> source, IMuxEnd end)
    {
        var position = 0;
        while (true)
        {
            var rest = source[position..];
            if (_dataLeft > 0)
            {
                var part = rest[..Math.Min(rest.Length, _dataLeft)];
                if (part.IsEmpty)
                {
                    return position;
                }

                Receive(part);
                _dataLeft -= part.Length;
                position += part.Length;
                continue;
            }

            if (rest.Length < MuxHeader.Size)
            {
                return position;
            }

            if (!MuxHeader.TryParse(rest, out var header))
            {
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a frame that is none.");
            }

            if (header.Type == MuxFrameType.Data)
            {
                _dataFlow = Known(header);
                _dataLeft = header.Length;
                position += MuxHeader.Size;
                continue;
            }

            if (rest.Length < MuxHeader.Size + header.Length)
            {
                return position;
            }

            Take(header, rest.Slice(MuxHeader.Size, header.Length), end);
            position += MuxHeader.Size + header.Length;
        }
    }

    /// <returns>Null when it is over: what was on its way then is nobody's.</returns>
    /// <exception cref="FlowAbortedException">There never was such a flow.</exception>
    private MuxFlow? Known(MuxHeader header)
    {
        lock (_lock)
        {
            return header.Flow <= _newest ? _flows.GetValueOrDefault(header.Flow) : throw new FlowAbortedException(FlowFailure.ProtocolError, $"{header.Type} of a flow that is not open.");
        }
    }

    private void Receive(ReadOnlySpan<byte> data)
    {
        if (_dataFlow is not { } flow)
        {
            return;
        }

        if (!flow.Receive(data))
        {
            throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent more than it may.");
        }

        if (_received.Count == 0 || _received[^1] != flow)
        {
            _received.Add(flow);
        }
    }

    /// <summary>Readers go on once for all that came together.</summary>
    private void Deliver()
    {
        foreach (var flow in _received)
        {
            flow.Deliver();
        }

        _received.Clear();
    }

    private void Take(MuxHeader header, ReadOnlySpan<byte> payload, IMuxEnd end)
    {
        switch (header.Type)
        {
            case MuxFrameType.Fin:
                Known(header)?.End();
                break;
            case MuxFrameType.Credit:
                AddCredit(header, BinaryPrimitives.ReadInt32BigEndian(payload));
                break;
            case MuxFrameType.Abort:
                var told = FrameCodec.ParseOutcome(payload);
                var reason = new FlowAbortedException(told.Failure == FlowFailure.None ? FlowFailure.Reset : told.Failure, told.Message);
                if (header.Flow == 0)
                {
                    throw reason.Failure == FlowFailure.ProtocolError ? new FlowAbortedException(FlowFailure.LinkDown, $"The peer ended the connection: {told.Message}") : reason;
                }

                if (Known(header) is { } flow && Forget(flow))
                {
                    flow.End(reason);
                }

                break;
            default:
                end.Take(header, payload);
                break;
        }
    }

    private void AddCredit(MuxHeader header, int count)
    {
        bool start;
        lock (_lock)
        {
            if (Known(header) is not { } flow)
            {
                return;
            }

            if (count is <= 0 or > MuxFlow.LargestWindow || flow.Credit + count > MuxFlow.LargestWindow)
            {
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer gave more credit than there is.");
            }

            flow.Credit += count;
            Enqueue(flow);
            start = BeginWriting();
        }

        WriteIf(start, soon: false);
    }

    /// <summary>Under the lock, as all that follow: to the end of those that wait for their turn, if it waits for nothing else.</summary>
    private void Enqueue(MuxFlow flow)
    {
        if (!flow.Queued && !flow.Waiting.IsEmpty && flow.Credit > 0)
        {
            flow.Queued = true;
            _queue.Enqueue(flow);
        }
    }

    private void ThrowIfClosed()
    {
        if (_closed is { } reason)
        {
            throw new FlowAbortedException(reason.Failure, reason.Message, reason);
        }
    }

    /// <summary>What room and credit allow, and no more than <paramref name="most"/>.</summary>
    /// <returns>The rest.</returns>
    private ReadOnlyMemory<byte> Move(MuxFlow flow, ReadOnlyMemory<byte> data, int most)
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
            flow.Waiting = Move(flow, waiting, MuxHeader.MaxData);
            if (flow.Waiting.Length == waiting.Length && flow.Credit > 0 && waiting.Length > 0)
            {
                return;
            }

            _queue.Dequeue();
            flow.Queued = false;
            if (!flow.Waiting.IsEmpty)
            {
                Enqueue(flow);
            }
            else if (waiting.Length > 0)
            {
                flow.Sent();
            }
        }
    }

    private void AppendData(MuxFlow flow, ReadOnlySpan<byte> data)
    {
        flow.Credit -= data.Length;
        var destination = Reserve(MuxHeader.Size + data.Length);
        new MuxHeader(MuxFrameType.Data, data.Length, flow.Id).Write(destination);
        data.CopyTo(destination[MuxHeader.Size..]);
    }

    private void Append(ReadOnlySpan<byte> frame) => frame.CopyTo(Reserve(frame.Length));

    private Span<byte> Reserve(int count)
    {
        var needed = _outCount + count;
        if (_out is null || _out.Length < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _out is null ? 2048 : 2 * _out.Length));
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
        if (_writing || _closed is not null)
        {
            return false;
        }

        _writing = true;
        return true;
    }

    /// <param name="start">What <see cref="BeginWriting"/> said.</param>
    /// <param name="soon">On another thread, so that what comes until then goes with it; else here and now.</param>
    private void WriteIf(bool start, bool soon)
    {
        if (!start)
        {
            if (Volatile.Read(ref _outCount) > MaxPending)
            {
                Close(new FlowAbortedException(FlowFailure.ProtocolError, "The peer reads nothing."));
            }
        }
        else if (soon)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.BeginWrite(), this, preferLocal: true);
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

                if (count <= 16 * 1024)
                {
                    await _tls.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                }
                else
                {
                    _records.BeginGather();
                    await _tls.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                    await _records.EndGatherAsync(CancellationToken.None);
                }

                ArrayPool<byte>.Shared.Return(buffer);
                Interlocked.Add(ref _bytes, count);
            }
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e) || (e is InvalidOperationException && IsClosed))
        {
            Close(new FlowAbortedException(FlowFailure.LinkDown, e.Message, e));
        }
    }
}
