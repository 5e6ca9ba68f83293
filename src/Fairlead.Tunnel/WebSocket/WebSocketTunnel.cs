using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
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
    public static IServiceCollection AddWebSocketTunnel(this IServiceCollection services)
    {
        services.AddSingleton<StreamListenerFactory<WebSocketTunnelEndPoint>>();
        services.AddSingleton<IConnectionListenerFactory>(s => s.GetRequiredService<StreamListenerFactory<WebSocketTunnelEndPoint>>());
        return services;
    }

    /// <summary>
    /// Maps <c>GatewayApi.Tunnel</c>: each accepted WebSocket is one connection of the in-process endpoint, or, asked for as
    /// <c>GatewayApi.TunnelOfFlows</c>, one that flows share. Needs <c>UseWebSockets</c>.
    /// </summary>
    /// <param name="flows">Where connections that flows share are served, on the data port, too.</param>
    public static void MapWebSocketTunnel(this IEndpointRouteBuilder endpoints, Func<DirectCarrierServer> flows)
    {
        var factory = endpoints.ServiceProvider.GetRequiredService<StreamListenerFactory<WebSocketTunnelEndPoint>>();
        endpoints.Map(GatewayApi.Tunnel, async context =>
        {
            if (context.Features.Get<StreamConnection>() is not null)
            {
                // A tunnel in a tunnel serves nobody, and there would be no end to it.
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }

            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
                return;
            }

            if (factory.Listener is not { } listener)
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            IPEndPoint? remote = context.Connection.RemoteIpAddress is { } address ? new(address, context.Connection.RemotePort) : null;
            if (context.Request.QueryString.Value == GatewayApi.FlowsQuery)
            {
                await using var stream = new WebSocketByteStream(socket);
                await using (context.RequestAborted.UnsafeRegister(static s => ((Stream)s!).Dispose(), stream))
                {
                    await flows().ServeAsync(stream, remote, context.Features.Get<StrangerLimit.Place>());
                }

                return;
            }

            await using var connection = new StreamConnection(new WebSocketByteStream(socket), remote);
            if (context.Features.Get<StrangerLimit.Place>() is { } place)
            {
                // What is inside tells whose the connection is: then both are no strangers' any more.
                connection.Features.Set(place);
            }

            await using (context.RequestAborted.UnsafeRegister(static c => ((StreamConnection)c!).Abort(), connection))
            {
                if (listener.TryOffer(connection))
                {
                    await connection.Closed;
                }
            }
        });
    }
}
