using System.Net;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>One accepted connection: flows one after another, pings between them.</summary>
internal sealed partial class DirectServerConnection(DirectConnection connection, PeerIdentity peer, DirectCarrierServer server, IFlowHandler handler, ILogger logger) : IServerConnection
{
    private const int Busy = 0;
    private const int Idle = 1;
    private const int Closed = 2;

    /// <summary>After a farewell: how long the client may take to end the connection.</summary>
    internal static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(1);

    private int _state;
    private long _idleSince;
    private long _farewellSince;
    private Task _farewell = Task.CompletedTask;

    // The last open was refused: what the client sent with it is still on its way.
    private bool _refused;

    public PeerIdentity Peer => peer;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ServeOneAsync(cancellationToken))
            {
            }
        }
        catch (FlowAbortedException e) when (e.Failure == FlowFailure.ProtocolError)
        {
            LogViolation(connection.RemoteEndPoint, peer.Subject, e.Message);
            connection.Abort(FlowFailure.ProtocolError, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            LogEnded(connection.RemoteEndPoint, peer.Subject, e.Message);
        }
    }

    public void Abort(FlowFailure failure, string message) => connection.Abort(failure, message);

    public void CloseIfIdle(TimeSpan longerThan)
    {
        if (server.Time.GetElapsedTime(Volatile.Read(ref _idleSince)) >= longerThan && Interlocked.CompareExchange(ref _state, Closed, Idle) == Idle)
        {
            _farewellSince = server.Time.GetTimestamp();
            _farewell = FarewellAsync();
        }
        else if (Volatile.Read(ref _state) == Closed && server.Time.GetElapsedTime(_farewellSince) >= FarewellTimeout)
        {
            connection.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await _farewell;
    }

    /// <summary>
    /// Says that no flow is taken any more, instead of closing at once: an open that is on its way then has an answer, and may be repeated
    /// elsewhere with all that came with it. The serving loop discards it.
    /// </summary>
    private async Task FarewellAsync()
    {
        try
        {
            await connection.WriteAsync(FrameCodec.Outcome(FrameType.Abort, FlowFailure.Draining, "This gateway keeps no idle connection."), CancellationToken.None);
            connection.EndWrites();
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e))
        {
            LogEnded(connection.RemoteEndPoint, peer.Subject, e.Message);
        }
    }

    /// <returns>False when the connection is to end.</returns>
    private async Task<bool> ServeOneAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _idleSince, server.Time.GetTimestamp());
        Volatile.Write(ref _state, Idle);
        if (server.Draining)
        {
            CloseIfIdle(TimeSpan.Zero);
        }

        var header = await connection.ReadHeaderAsync(cancellationToken);
        if (Interlocked.CompareExchange(ref _state, Busy, Idle) != Idle || header.Type == FrameType.End)
        {
            return false;
        }

        switch (header.Type)
        {
            case FrameType.Ping:
                await connection.WriteAsync(FrameCodec.Ping(FrameType.Pong, await connection.ReadPayloadAsync(header, cancellationToken)), cancellationToken);
                return true;
            case FrameType.Data when _refused:
                await connection.DiscardAsync(header, cancellationToken);
                return true;
            case FrameType.Open:
                _refused = false;
                var target = FrameCodec.ParseOpen(await connection.ReadPayloadAsync(header, cancellationToken))
                    ?? throw new FlowAbortedException(FlowFailure.ProtocolError, "An open without a target.");
                return await ServeFlowAsync(target, cancellationToken);
            case FrameType.Abort:
                LogEnded(connection.RemoteEndPoint, peer.Subject, FrameCodec.ParseOutcome(await connection.ReadPayloadAsync(header, cancellationToken)).Message);
                return false;
            default:
                throw new FlowAbortedException(FlowFailure.ProtocolError, $"{header.Type} with no flow open.");
        }
    }

    private async Task<bool> ServeFlowAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        await using var flow = new IncomingFlow(connection, peer, target);
        if (server.Draining)
        {
            await flow.RefuseAsync(new FlowRefusal(FlowFailure.Draining, "This gateway is going away."), cancellationToken);
            return false;
        }

        if (server.Time.GetUtcNow() >= peer.Expires)
        {
            await flow.RefuseAsync(new FlowRefusal(FlowFailure.Denied, "The certificate has expired."), cancellationToken);
            return false;
        }

        try
        {
            await handler.HandleAsync(flow, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            LogEnded(connection.RemoteEndPoint, peer.Subject, e.Message);
        }
        catch (Exception e)
        {
            LogHandlerFailed(e, target);
        }

        var goesOn = await flow.FinishAsync(cancellationToken);
        _refused = flow.Refused;
        return goesOn;
    }

    private sealed class IncomingFlow(DirectConnection connection, PeerIdentity peer, FlowTarget target) : IIncomingFlow, IAsyncDisposable
    {
        private int _answered;
        private DirectFlow? _flow;

        public bool Refused { get; private set; }

        public PeerIdentity Peer => peer;

        public EndPoint? RemoteEndPoint => connection.RemoteEndPoint;

        public FlowTarget Target => target;

        public async ValueTask<IFlow> AcceptAsync(CancellationToken cancellationToken)
        {
            await AnswerAsync(FlowFailure.None, "", cancellationToken);
            return _flow = new DirectFlow(connection);
        }

        public async ValueTask<IDatagramFlow> AcceptDatagramsAsync(CancellationToken cancellationToken)
        {
            await AnswerAsync(FlowFailure.None, "", cancellationToken);
            return new DirectDatagramFlow(_flow = new DirectFlow(connection));
        }

        public async ValueTask RefuseAsync(FlowRefusal refusal, CancellationToken cancellationToken)
        {
            if (refusal.Failure == FlowFailure.None)
            {
                throw new ArgumentException("A refusal needs a reason.", nameof(refusal));
            }

            await AnswerAsync(refusal.Failure, refusal.Message, cancellationToken);
            Refused = true;
        }

        /// <returns>Whether the connection can serve another flow.</returns>
        public async ValueTask<bool> FinishAsync(CancellationToken cancellationToken)
        {
            if (Volatile.Read(ref _answered) == 0)
            {
                await RefuseAsync(new FlowRefusal(FlowFailure.Unreachable, "The gateway failed to open the flow."), cancellationToken);
            }

            if (_flow is not null)
            {
                await _flow.DisposeAsync();
            }

            return Refused || _flow is { Completed: true };
        }

        public async ValueTask DisposeAsync()
        {
            if (_flow is not null)
            {
                await _flow.DisposeAsync();
            }
        }

        private ValueTask AnswerAsync(FlowFailure failure, string message, CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref _answered, 1) != 0)
            {
                throw new InvalidOperationException("The flow was answered before.");
            }

            TunnelMetrics.Opened(failure, client: false);
            return connection.WriteAsync(FrameCodec.Outcome(FrameType.Answer, failure, message), cancellationToken);
        }
    }

    [LoggerMessage(EventId = 211, Level = LogLevel.Warning, Message = "{Remote} ({Subject}) broke the protocol: {What}")]
    private partial void LogViolation(EndPoint? remote, string subject, string what);

    [LoggerMessage(EventId = 212, Level = LogLevel.Debug, Message = "The connection of {Remote} ({Subject}) ended: {Why}")]
    private partial void LogEnded(EndPoint? remote, string subject, string why);

    [LoggerMessage(EventId = 213, Level = LogLevel.Error, Message = "A flow to {Target} failed by a defect")]
    private partial void LogHandlerFailed(Exception e, FlowTarget target);
}
