using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Identity;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Dial;

/// <summary>
/// Serves each flow a laptop opens: decides, dials, answers, relays. A flow is in the table before it is judged, so that a Grant or a
/// revocation that comes at any moment finds it.
/// </summary>
internal sealed partial class FlowServer(FlowPlanner planner, Grants grants, Revocations revocations, Dialer dialer, GatewayMetrics metrics, TimeProvider time, ILogger<FlowServer> logger)
    : IFlowHandler
{
    /// <summary>A laptop that consumes a large cluster holds some hundreds; each costs a socket and some tens of KiB.</summary>
    public const int MaxPerSubject = 16384;

    public const int MaxTotal = 65536;

    private readonly FlowCounters counters = new();
    private readonly TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool draining;

    public Sessions Flows { get; } = new(MaxPerSubject, MaxTotal);

    public FlowCounters Counters => counters;

    public async Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken)
    {
        if (draining)
        {
            await RefuseAsync(flow, new FlowRefusal(FlowFailure.Draining, "the gateway is going away"), cancellationToken);
            return;
        }

        await grants.ReadyAsync(flow.Peer, flow.Target, cancellationToken);
        using var session = Flows.TryOpen(flow.Peer);
        if (session is null)
        {
            await RefuseAsync(flow, new FlowRefusal(FlowFailure.Overloaded, "too many flows are open"), cancellationToken);
            return;
        }

        session.Tag = flow.Target;
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, session.Ended);
            await ServeAsync(flow, stop.Token);
        }
        catch (OperationCanceledException) when (session.Ended.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            LogEnded(flow.Peer.Subject, flow.Target);
        }
        finally
        {
            session.Dispose();
            if (draining && Flows.Count == 0)
            {
                idle.TrySetResult();
            }
        }
    }

    /// <summary>Ends the flows that the Grants or revocations of now no longer allow.</summary>
    public void Reconsider()
    {
        foreach (var session in Flows.All)
        {
            if (session.Tag is FlowTarget target && (revocations.IsRevoked(session.Peer) || planner.Plan(grants.Of(session.Peer), target).Refusal is { Failure: FlowFailure.Denied }))
            {
                session.End();
            }
        }
    }

    /// <summary>Takes no more flows; completes when the open ones have ended or the time is up, and then ends those that are left.</summary>
    public async Task DrainAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        draining = true;
        if (Flows.Count == 0)
        {
            return;
        }

        try
        {
            await idle.Task.WaitAsync(grace, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            LogDrainIncomplete(Flows.End(_ => true));
        }
    }

    private async Task ServeAsync(IIncomingFlow flow, CancellationToken cancellationToken)
    {
        if (revocations.IsRevoked(flow.Peer))
        {
            await RefuseAsync(flow, new FlowRefusal(FlowFailure.Denied, "access was revoked"), cancellationToken);
            return;
        }

        var began = time.GetTimestamp();
        var (far, refusal) = await dialer.DialAsync(grants.Of(flow.Peer), flow.Target, cancellationToken);
        metrics.Dialled(flow.Target.Protocol, refusal?.Failure ?? FlowFailure.None, time.GetElapsedTime(began));
        if (far is null)
        {
            await RefuseAsync(flow, refusal!, cancellationToken);
            return;
        }

        await using (far)
        {
            switch (far)
            {
                case { Socket: { } socket }:
                    await FlowRelay.RunAsync(await flow.AcceptAsync(cancellationToken), socket, counters, cancellationToken);
                    break;
                case { Flow: { } exit }:
                    await using (var opened = await flow.AcceptAsync(cancellationToken))
                    {
                        await FlowSplice.RunAsync(opened, exit, cancellationToken);
                    }

                    break;
                case { Datagrams: { } datagrams }:
                    await using (var opened = await flow.AcceptDatagramsAsync(cancellationToken))
                    {
                        LogDatagramsEnded(flow.Target, (await DatagramRelay.RunAsync(opened, datagrams, time, cancellationToken))?.Message ?? "the laptop ended it, or it was silent");
                    }

                    break;
            }
        }
    }

    private async Task RefuseAsync(IIncomingFlow flow, FlowRefusal refusal, CancellationToken cancellationToken)
    {
        metrics.Refused(refusal.Failure);
        if (refusal.Failure == FlowFailure.Denied)
        {
            LogDenied(flow.Peer.Subject, flow.Target, refusal.Message, flow.RemoteEndPoint);
        }
        else
        {
            LogRefused(flow.Peer.Subject, flow.Target, refusal.Failure, refusal.Message);
        }

        await flow.RefuseAsync(refusal, cancellationToken);
    }

    [LoggerMessage(1201, LogLevel.Warning, "denied: {Subject} to {Target}: {Reason} (from {Source})")]
    private partial void LogDenied(string subject, FlowTarget target, string reason, EndPoint? source);

    [LoggerMessage(1202, LogLevel.Debug, "{Subject} to {Target}: {Failure}: {Reason}")]
    private partial void LogRefused(string subject, FlowTarget target, FlowFailure failure, string reason);

    [LoggerMessage(1203, LogLevel.Warning, "ended: {Subject} to {Target} is no longer allowed, or the gateway's time is up")]
    private partial void LogEnded(string subject, FlowTarget target);

    [LoggerMessage(1204, LogLevel.Warning, "{Count} flows had not ended when the grace period was over")]
    private partial void LogDrainIncomplete(int count);

    [LoggerMessage(1205, LogLevel.Debug, "{Target}: {End}")]
    private partial void LogDatagramsEnded(FlowTarget target, string end);
}
