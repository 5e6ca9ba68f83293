using System.Net.Security;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Mux;

/// <summary>The laptop's end of one shared connection, to one replica.</summary>
internal sealed class MuxLane : ILane, IMuxEnd
{
    private static readonly SslApplicationProtocol[] Protocols = [MuxConnection.Protocol];

    private readonly MuxConnection _connection;
    private readonly LaneLoad _load = new();
    private readonly Task _running;
    private volatile TaskCompletionSource? _pong;
    private volatile FlowRefusal? _farewell;
    private volatile FlowAbortedException? _ended;
    private uint _pings;
    private volatile bool _retired;

    private MuxLane(MuxConnection connection, string replica)
    {
        _connection = connection;
        Replica = replica;
        _running = RunAsync();
    }

    public string Replica { get; }

    public bool IsUsable => !_retired && _farewell is null && !_connection.IsClosed;

    public bool IsIdle => _connection.IsClosed || _connection.Flows == 0;

    public long Received => _connection.Received;

    public bool HasRoom => IsUsable && _connection.Flows < LaneLoad.MaxFlows;

    public int Load => _load.Of(_connection.Flows);

    /// <param name="transport">Owned from here on.</param>
    /// <exception cref="CarrierException">The handshake failed.</exception>
    public static async Task<MuxLane> ConnectAsync(Stream transport, TunnelTls tls, string where, CancellationToken cancellationToken)
    {
        var records = new RecordStream(transport);
        var stream = await ApiConnector.AuthenticateAsync(records, tls, Protocols, where, cancellationToken);
        return new MuxLane(new MuxConnection(stream, records, client: true), ReplicaName.Of(stream.RemoteCertificate));
    }

    public async Task PingAsync(CancellationToken cancellationToken)
    {
        _load.Look(_connection.Bytes);
        var pong = _pong = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _connection.Writer.Send(MuxFrameType.Ping, ++_pings);
        if (_ended is not null)
        {
            pong.TrySetResult();
        }

        await pong.Task.WaitAsync(cancellationToken);
        if (_farewell is { } farewell)
        {
            throw LinkProblems.OfRefusal(farewell);
        }

        if (_ended is { } ended)
        {
            throw LinkProblems.Of(ended, Replica);
        }
    }

    /// <summary>A refusal with <see cref="FlowFailure.LinkDown"/> or <see cref="FlowFailure.Draining"/>: nothing was done, another lane may be asked.</summary>
    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        var taken = early is null ? default : early.Take();
        MuxFlow flow;
        try
        {
            flow = _connection.Open(target, taken.Span);
        }
        catch (FlowAbortedException e)
        {
            // Nothing left, so what was taken may still go elsewhere.
            return new FlowOpening<IFlow>(null, new FlowRefusal(FlowFailure.LinkDown, e.Message));
        }

        var answer = flow.Answer!.Task;
        try
        {
            if (early is not null && taken.IsEmpty)
            {
                await Task.WhenAny(answer, early.Arrived).WaitAsync(cancellationToken);
                if (!answer.IsCompleted && !(taken = early.Take()).IsEmpty)
                {
                    await flow.WriteAsync(taken, cancellationToken);
                }
            }

            var refusal = await answer.WaitAsync(cancellationToken);
            if (refusal.Failure == FlowFailure.None)
            {
                early?.Delivered = !taken.IsEmpty;
                return new FlowOpening<IFlow>(flow, null);
            }

            return new FlowOpening<IFlow>(null, refusal.Failure == FlowFailure.LinkDown && !taken.IsEmpty ? Lost : refusal);
        }
        catch (FlowAbortedException e)
        {
            return new FlowOpening<IFlow>(null, e.Failure == FlowFailure.LinkDown ? Lost : new FlowRefusal(e.Failure, e.Message));
        }
        catch (OperationCanceledException)
        {
            flow.Abort(FlowFailure.Reset);
            throw;
        }
    }

    public void Retire(bool lost)
    {
        _retired = true;
        if (lost)
        {
            _connection.AbortUnanswered(FlowFailure.LinkDown);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _retired = true;
        await _connection.DisposeAsync();
        await _running;
    }

    void IMuxEnd.Take(MuxHeader header, ReadOnlySpan<byte> payload)
    {
        switch (header.Type)
        {
            case MuxFrameType.Answer:
                if (_connection.TryFind(header.Flow, out var flow))
                {
                    TakeAnswer(flow, FrameCodec.ParseOutcome(payload));
                }

                break;
            case MuxFrameType.Pong:
                if (header.Flow == _pings)
                {
                    _pong?.TrySetResult();
                }

                break;
            case MuxFrameType.Goodbye:
                _farewell = FrameCodec.ParseOutcome(payload);
                _pong?.TrySetResult();
                break;
            default:
                throw new FlowAbortedException(FlowFailure.ProtocolError, $"The gateway sent {header.Type}.");
        }
    }

    /// <summary>Not to be repeated: the bytes may have reached the service.</summary>
    private FlowRefusal Lost => new(FlowFailure.Reset, $"Replica {Replica} vanished before it answered, when the first bytes were on their way; they are not sent twice");

    private void TakeAnswer(MuxFlow flow, FlowRefusal answer)
    {
        if (flow.Answer!.Task.IsCompleted)
        {
            throw new FlowAbortedException(FlowFailure.ProtocolError, "The gateway answered an open twice.");
        }

        TunnelMetrics.Opened(answer.Failure, client: true);
        if (answer.Failure != FlowFailure.None)
        {
            _connection.Forget(flow);
        }

        flow.Answer.TrySetResult(answer);
    }

    private async Task RunAsync()
    {
        _ended = await _connection.RunAsync(this);
        _pong?.TrySetResult();
    }
}
