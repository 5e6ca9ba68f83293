using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Direct;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Fairlead.Tunnel.Http;

/// <summary>The gateway's end of flows over HTTP/2: extended CONNECT (RFC 8441) with <c>connect-tcp</c>, <c>connect-udp</c> (RFC 9298) and, in the same form, echo requests.</summary>
public static class FlowEndpoints
{
    /// <summary>Streams of one connection; the laptop opens another connection beyond.</summary>
    private const int MaxStreams = 256;

    /// <summary>They can be opened without a certificate (it is shown inside), so there must be a bound; each laptop needs a few.</summary>
    private const int MaxWebSockets = 4096;

    private const int StreamWindow = 512 * 1024;

    /// <summary>Maps the paths that flows are opened on. <paramref name="identify"/> returns null for a caller without a valid certificate: answered 401.</summary>
    /// <param name="unavailable">Why flows should be opened at another replica: told to those who ping; null while they are welcome.</param>
    public static void MapFlows(this IEndpointRouteBuilder endpoints, IFlowHandler handler, Func<HttpContext, PeerIdentity?> identify, Func<string?>? unavailable = null)
    {
        endpoints.MapMethods(FlowPaths.Tcp, [HttpMethods.Connect], context => ServeAsync(context, TransportProtocol.Tcp, handler, identify));
        endpoints.MapMethods(FlowPaths.Udp, [HttpMethods.Connect], context => ServeAsync(context, TransportProtocol.Udp, handler, identify));
        endpoints.MapMethods(FlowPaths.Icmp, [HttpMethods.Connect], context => ServeAsync(context, TransportProtocol.Icmp, handler, identify));
        endpoints.MapGet(FlowPaths.Ping, context =>
        {
            if (identify(context) is null)
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            }
            else if (unavailable?.Invoke() is { } reason)
            {
                context.Response.StatusCode = FlowPaths.StatusOf(FlowFailure.Draining);
                context.Response.Headers[FlowPaths.RefusalHeader] = FlowPaths.Format(new FlowRefusal(FlowFailure.Draining, reason));
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status204NoContent;
            }

            return Task.CompletedTask;
        });
    }

    /// <summary>
    /// Windows and stream limits under which stalled flows can't starve the others of a connection: the connection's window holds every stream's
    /// window at once. Minimum data rates are off, because a flow may be silent, or its reader slow, for as long as it likes.
    /// </summary>
    public static void ConfigureForFlows(this KestrelServerLimits limits)
    {
        limits.MaxConcurrentUpgradedConnections = MaxWebSockets;
        limits.Http2.MaxStreamsPerConnection = MaxStreams;
        limits.Http2.InitialStreamWindowSize = StreamWindow;
        limits.Http2.InitialConnectionWindowSize = MaxStreams * StreamWindow;
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(10);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
    }

    private static async Task ServeAsync(HttpContext context, TransportProtocol protocol, IFlowHandler handler, Func<HttpContext, PeerIdentity?> identify)
    {
        var connect = context.Features.Get<IHttpExtendedConnectFeature>();
        var target = new FlowTarget(
            protocol,
            (string)context.Request.RouteValues["host"]!,
            int.Parse((string)context.Request.RouteValues["port"]!),
            context.Request.Headers.TryGetValue(FlowPaths.ViaHeader, out var via) ? via.ToString() : null);
        if (connect is not { IsExtendedConnect: true } || connect.Protocol != FlowPaths.ProtocolOf(protocol) || !target.IsWellFormed)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        if (identify(context) is not { } peer)
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        await using var flow = new IncomingFlow(context, connect, peer, target);
        try
        {
            await handler.HandleAsync(flow, context.RequestAborted);
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            // The laptop or the connection is gone: the flow's own end.
        }

        await flow.FinishAsync();
    }

    private sealed class IncomingFlow(HttpContext context, IHttpExtendedConnectFeature connect, PeerIdentity peer, FlowTarget target) : IIncomingFlow, IAsyncDisposable
    {
        private bool _answered;
        private IAsyncDisposable? _flow;

        public PeerIdentity Peer => peer;

        public EndPoint? RemoteEndPoint => context.Connection.RemoteIpAddress is { } address ? new IPEndPoint(address, context.Connection.RemotePort) : null;

        public FlowTarget Target => target;

        public async ValueTask<IFlow> AcceptAsync(CancellationToken cancellationToken)
        {
            var flow = new HttpFlow(await AnswerAsync(), client: false, context.Abort);
            _flow = flow;
            return flow;
        }

        public async ValueTask<IDatagramFlow> AcceptDatagramsAsync(CancellationToken cancellationToken)
        {
            var flow = new HttpDatagramFlow(await AnswerAsync(), context.Abort);
            _flow = flow;
            return flow;
        }

        public ValueTask RefuseAsync(FlowRefusal refusal, CancellationToken cancellationToken)
        {
            Answered(refusal.Failure);
            context.Response.StatusCode = FlowPaths.StatusOf(refusal.Failure);
            context.Response.Headers[FlowPaths.RefusalHeader] = FlowPaths.Format(refusal);
            return ValueTask.CompletedTask;
        }

        public async ValueTask FinishAsync()
        {
            if (!_answered && !context.RequestAborted.IsCancellationRequested)
            {
                await RefuseAsync(new FlowRefusal(FlowFailure.Unreachable, "The gateway failed to open the flow."), CancellationToken.None);
            }
        }

        public ValueTask DisposeAsync() => _flow?.DisposeAsync() ?? ValueTask.CompletedTask;

        private async ValueTask<CapsuleStream> AnswerAsync()
        {
            Answered(FlowFailure.None);

            // RFC 9297 §3.4.
            context.Response.Headers["Capsule-Protocol"] = "?1";
            return new CapsuleStream(await connect.AcceptAsync(), readAhead: target.Protocol != TransportProtocol.Tcp);
        }

        private void Answered(FlowFailure failure)
        {
            if (_answered)
            {
                throw new InvalidOperationException("The flow was answered before.");
            }

            _answered = true;
            TunnelMetrics.Opened(failure, client: false);
        }
    }
}
