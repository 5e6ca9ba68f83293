using System.Net;
using System.Net.WebSockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.WebSocket;

/// <summary>The laptop's end of the WebSocket carrier.</summary>
internal static class WebSocketDialer
{
    /// <summary>A byte stream to the gateway's in-process endpoint.</summary>
    /// <exception cref="CarrierException">No connection could be had.</exception>
    public static async Task<Stream> ConnectAsync(string host, int port, IWebProxy? proxy, CancellationToken cancellationToken)
    {
        var where = $"{host}:{port}";
        var socket = new ClientWebSocket();
        socket.Options.Proxy = proxy ?? HttpClient.DefaultProxy;
        socket.Options.KeepAliveInterval = TimeSpan.FromSeconds(15);

        // The outer TLS is an ingress's, a proxy's or the gateway's, with any name and any CA: nothing is trusted on account of it. Identity is
        // proven both ways by the TLS inside, and nothing but that TLS is ever sent.
#pragma warning disable CA5359
        socket.Options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        try
        {
            await socket.ConnectAsync(new UriBuilder("wss", host, port, GatewayApi.Tunnel).Uri, cancellationToken);
            return new WebSocketByteStream(socket);
        }
        catch (Exception e)
        {
            socket.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw Explain(e, where);
        }
    }

    private static CarrierException Explain(Exception e, string where)
    {
        for (var inner = e; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } proxy:
                    return LinkProblems.OfProxy("of HTTPS_PROXY", proxy.Message, e);
                case System.Net.Sockets.SocketException or System.Security.Authentication.AuthenticationException:
                    return LinkProblems.Of(inner, where);
            }
        }

        return LinkProblems.Of(e, where);
    }
}
