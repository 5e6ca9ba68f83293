using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Direct;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Mux;

/// <summary>One accepted connection that many flows share: each is handed to the handler as soon as it is asked for.</summary>
internal sealed partial class MuxServerConnection(MuxConnection connection, EndPoint? remote, PeerIdentity peer, DirectCarrierServer server, IFlowHandler handler, ILogger logger)
    : IServerConnection, IMuxEnd
{
    /// <summary>On one connection; the laptop makes another before it comes to so many.</summary>
    private const int MaxFlows = 256;

    private readonly Lock _lock = new();
    private readonly HashSet<Task> _serving = [];
    private long _heard = server.Time.GetTimestamp();
    private bool _farewell;
    private long _farewellSince;
    private CancellationToken _stop;

    public PeerIdentity Peer => peer;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _stop = cancellationToken;
        FlowAbortedException reason;
        await using (cancellationToken.UnsafeRegister(static c => ((MuxServerConnection)c!).Abort(FlowFailure.Draining, "The gateway went away."), this))
        {
            reason = await connection.RunAsync(this);
        }

        if (reason.Failure == FlowFailure.ProtocolError)
        {
            LogViolation(remote, peer.Subject, reason.Message);
        }
        else
        {
            LogEnded(remote, peer.Subject, reason.Message);
        }

        Task[] left;
        lock (_lock)
        {
            left = [.. _serving];
        }

        await Task.WhenAll(left);
    }

    public void Abort(FlowFailure failure, string message) => connection.Abort(failure, message);

    public void CloseIfIdle(TimeSpan longerThan)
    {
        bool first;
        lock (_lock)
        {
            if (longerThan > TimeSpan.Zero && !_farewell && (_serving.Count > 0 || server.Time.GetElapsedTime(_heard) < longerThan))
            {
                return;
            }

            first = !_farewell;
            _farewell = true;
            _farewellSince = first ? server.Time.GetTimestamp() : _farewellSince;
        }

        if (first)
        {
            SayGoodbye(server.Unavailable ?? "Nothing was heard on this connection for long.");
        }
        else if (server.Time.GetElapsedTime(_farewellSince) >= DirectServerConnection.FarewellTimeout && connection.Flows == 0)
        {
            connection.Close(new FlowAbortedException(FlowFailure.LinkDown, "The laptop does not hear the farewell."));
        }
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    void IMuxEnd.Take(MuxHeader header, ReadOnlySpan<byte> payload)
    {
        Volatile.Write(ref _heard, server.Time.GetTimestamp());
        switch (header.Type)
        {
            case MuxFrameType.Ping when server.Unavailable is { } reason:
                SayGoodbye(reason);
                break;
            case MuxFrameType.Ping:
                connection.Writer.Send(MuxFrameType.Pong, header.Flow);
                break;
            case MuxFrameType.Open:
                var target = FrameCodec.ParseOpen(payload) ?? throw new FlowAbortedException(FlowFailure.ProtocolError, "An open without a target.");
                Serve(new IncomingFlow(connection, connection.Accept(header.Flow), peer, remote, target));
                break;
            default:
                throw new FlowAbortedException(FlowFailure.ProtocolError, $"The laptop sent {header.Type}.");
        }
    }

    private void SayGoodbye(string reason) => connection.Writer.Send(MuxFrames.Outcome(MuxFrameType.Goodbye, 0, FlowFailure.Draining, reason));

    private void Serve(IncomingFlow flow)
    {
        if (Refusal() is { } refusal)
        {
            flow.Refuse(refusal);
            return;
        }

        var serving = ServeAsync(flow);
        if (serving.IsCompleted)
        {
            return;
        }

        lock (_lock)
        {
            _serving.Add(serving);
        }

        // Runs at once where it has ended meanwhile.
        _ = serving.ContinueWith(Ended, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private FlowRefusal? Refusal() =>
        server.Draining ? new FlowRefusal(FlowFailure.Draining, "This gateway is going away.")
        : server.Time.GetUtcNow() >= peer.Expires ? new FlowRefusal(FlowFailure.Denied, "The certificate has expired.")
        : connection.Flows > MaxFlows ? new FlowRefusal(FlowFailure.Overloaded, "Too many flows are open on this connection.")
        : null;

    private void Ended(Task serving)
    {
        lock (_lock)
        {
            _serving.Remove(serving);
            _heard = server.Time.GetTimestamp();
        }
    }

    private async Task ServeAsync(IncomingFlow flow)
    {
        await using (flow)
        {
            try
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(flow.Gone, _stop);
                await handler.HandleAsync(flow, either.Token);
            }
            catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
            {
                LogFlowEnded(peer.Subject, flow.Target, e.Message);
            }
            catch (Exception e)
            {
                LogHandlerFailed(e, flow.Target);
            }
        }
    }

    private sealed class IncomingFlow(MuxConnection connection, MuxFlow flow, PeerIdentity peer, EndPoint? remote, FlowTarget target) : IIncomingFlow, IAsyncDisposable
    {
        private int _answered;

        public PeerIdentity Peer => peer;

        public EndPoint? RemoteEndPoint => remote;

        public FlowTarget Target => target;

        public CancellationToken Gone => flow.Gone;

        public ValueTask<IFlow> AcceptAsync(CancellationToken cancellationToken)
        {
            if (target.Protocol != TransportProtocol.Tcp)
            {
                throw new NotSupportedException("Shared connections carry TCP.");
            }

            Answer(new FlowRefusal(FlowFailure.None, ""));
            return ValueTask.FromResult<IFlow>(flow);
        }

        public ValueTask<IDatagramFlow> AcceptDatagramsAsync(CancellationToken cancellationToken) => throw new NotSupportedException("Shared connections carry TCP.");

        public ValueTask RefuseAsync(FlowRefusal refusal, CancellationToken cancellationToken)
        {
            Refuse(refusal);
            return ValueTask.CompletedTask;
        }

        public void Refuse(FlowRefusal refusal)
        {
            if (refusal.Failure == FlowFailure.None)
            {
                throw new ArgumentException("A refusal needs a reason.", nameof(refusal));
            }

            connection.Forget(flow);
            Answer(refusal);
        }

        public async ValueTask DisposeAsync()
        {
            if (Volatile.Read(ref _answered) == 0)
            {
                Refuse(new FlowRefusal(FlowFailure.Unreachable, "The gateway failed to open the flow."));
            }

            await flow.DisposeAsync();
        }

        private void Answer(FlowRefusal answer)
        {
            if (Interlocked.Exchange(ref _answered, 1) != 0)
            {
                throw new InvalidOperationException("The flow was answered before.");
            }

            TunnelMetrics.Opened(answer.Failure, client: false);
            connection.Writer.Send(MuxFrames.Outcome(MuxFrameType.Answer, flow.Id, answer.Failure, answer.Message), soon: true);
        }
    }

    [LoggerMessage(EventId = 221, Level = LogLevel.Warning, Message = "{Remote} ({Subject}) broke the protocol: {What}")]
    private partial void LogViolation(EndPoint? remote, string subject, string what);

    [LoggerMessage(EventId = 222, Level = LogLevel.Debug, Message = "The connection of {Remote} ({Subject}) ended: {Why}")]
    private partial void LogEnded(EndPoint? remote, string subject, string why);

    [LoggerMessage(EventId = 223, Level = LogLevel.Error, Message = "A flow to {Target} failed by a defect")]
    private partial void LogHandlerFailed(Exception e, FlowTarget target);

    [LoggerMessage(EventId = 224, Level = LogLevel.Debug, Message = "{Subject} to {Target} ended: {Why}")]
    private partial void LogFlowEnded(string subject, FlowTarget target, string why);
}
