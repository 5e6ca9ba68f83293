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

/// <summary>One mutual-TLS connection with many flows, the same at both ends: the table of the flows, and what the frames that come mean. Thread-safe. Owns the connection.</summary>
internal sealed class MuxConnection : IMuxFrames, IAsyncDisposable
{
    /// <summary>The frames of docs/adr/0004, version 1.</summary>
    public static readonly SslApplicationProtocol Protocol = new("fairlead-mux/1");

    /// <summary>What all windows of a connection may grow by: their memory where every reader stops at once.</summary>
    private const int MaxGrowth = 16 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<uint, MuxFlow> _flows = [];
    private readonly SslStream _tls;
    private readonly RecordStream _records;
    private readonly bool _client;
    private readonly MuxReader _reader;
    private uint _newest;
    private int _growth = MaxGrowth;

    // The reader's own.
    private readonly List<MuxFlow> _received = [];
    private MuxFlow? _dataFlow;
    private IMuxEnd _end = null!;

    /// <param name="tls">Authenticated, over <paramref name="records"/>.</param>
    /// <param name="client">Which end this is, for the metrics.</param>
    public MuxConnection(SslStream tls, RecordStream records, bool client)
    {
        (_tls, _records, _client) = (tls, records, client);
        _reader = new MuxReader(tls, records, this);
        Writer = new MuxWriter(tls, records, reason => Close(reason));
        TunnelMetrics.Connections(1, client);
    }

    public MuxWriter Writer { get; }

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
    public long Bytes => _reader.Bytes + Writer.Bytes;

    public long Received => _reader.Bytes;

    public bool IsClosed => Writer.IsStopped;

    /// <summary>Reads until the connection ends, and ends every flow then. Once.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<FlowAbortedException> RunAsync(IMuxEnd end)
    {
        _end = end;
        var reason = new FlowAbortedException(FlowFailure.LinkDown, "The connection ended.");
        try
        {
            await _reader.RunAsync();
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
        MuxFlow flow;
        lock (_lock)
        {
            // Under one lock with the append: numbers go out in the order in which they grow.
            flow = new MuxFlow(this, _newest + 1) { Answer = new TaskCompletionSource<FlowRefusal>() };
            Writer.Append(flow.Sender, MuxFrames.Open(flow.Id, target), early);
            _newest = flow.Id;
            _flows.Add(flow.Id, flow);
        }

        Writer.Flush();
        return flow;
    }

    public bool TryFind(uint id, [NotNullWhen(true)] out MuxFlow? flow)
    {
        lock (_lock)
        {
            return _flows.TryGetValue(id, out flow);
        }
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
            Writer.Send(MuxFrames.Outcome(MuxFrameType.Abort, flow.Id, failure, message));
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

    /// <summary>Tells the peer why, if that is possible at once, and ends the connection and with it every flow.</summary>
    public void Abort(FlowFailure failure, string message)
    {
        Writer.Send(MuxFrames.Outcome(MuxFrameType.Abort, 0, failure, message));
        Close(new FlowAbortedException(failure, message));
    }

    /// <summary>Ends the connection; the reader then ends the flows.</summary>
    /// <returns>Why it ended: the first reason that was given.</returns>
    public FlowAbortedException Close(FlowAbortedException reason)
    {
        if (Writer.Stop(reason) is { } first)
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

    void IMuxFrames.Begin(MuxHeader header) => _dataFlow = Known(header);

    void IMuxFrames.Data(ReadOnlySpan<byte> part)
    {
        if (_dataFlow is not { } flow)
        {
            return;
        }

        if (!flow.Receive(part))
        {
            throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent more than it may.");
        }

        if (_received.Count == 0 || _received[^1] != flow)
        {
            _received.Add(flow);
        }
    }

    /// <summary>The flows' readers go on once for all that came together.</summary>
    void IMuxFrames.Delivered()
    {
        foreach (var flow in _received)
        {
            flow.Deliver();
        }

        _received.Clear();
    }

    void IMuxFrames.Take(MuxHeader header, ReadOnlySpan<byte> payload)
    {
        switch (header.Type)
        {
            case MuxFrameType.Fin:
                Known(header)?.End();
                break;
            case MuxFrameType.Credit when Known(header) is { } flow && !Writer.TryAddCredit(flow.Sender, BinaryPrimitives.ReadInt32BigEndian(payload)):
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer gave more credit than there is.");
            case MuxFrameType.Credit:
                break;
            case MuxFrameType.Abort:
                TakeAbort(header, FrameCodec.ParseOutcome(payload));
                break;
            default:
                _end.Take(header, payload);
                break;
        }
    }

    private void TakeAbort(MuxHeader header, FlowRefusal told)
    {
        if (header.Flow == 0)
        {
            throw told.Failure == FlowFailure.ProtocolError
                ? new FlowAbortedException(FlowFailure.LinkDown, $"The peer ended the connection: {told.Message}")
                : Reason(told);
        }

        if (Known(header) is { } flow && Forget(flow))
        {
            flow.End(Reason(told));
        }
    }

    private static FlowAbortedException Reason(FlowRefusal told) => new(told.Failure == FlowFailure.None ? FlowFailure.Reset : told.Failure, told.Message);

    /// <returns>Null when it is over: what was on its way then is nobody's.</returns>
    /// <exception cref="FlowAbortedException">There never was such a flow.</exception>
    private MuxFlow? Known(MuxHeader header)
    {
        lock (_lock)
        {
            return header.Flow <= _newest ? _flows.GetValueOrDefault(header.Flow) : throw new FlowAbortedException(FlowFailure.ProtocolError, $"{header.Type} of a flow that is not open.");
        }
    }
}
