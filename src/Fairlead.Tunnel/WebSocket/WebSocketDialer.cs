using System.Net.Security;
using System.Net.WebSockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.WebSocket;

/// <summary>The laptop's end of the WebSocket carrier.</summary>
internal sealed class WebSocketDialer(GatewayDialer dialer)
{
    /// <summary>Keeps proxies and ingresses, which cut connections that are silent for a minute, from doing so.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>A byte stream to the gateway.</summary>
    /// <param name="path"><see cref="GatewayApi.Tunnel"/> or <see cref="GatewayApi.TunnelOfFlows"/>.</param>
    /// <exception cref="CarrierException">No connection could be had.</exception>
    public async Task<Stream> ConnectAsync(string host, int port, string path, CancellationToken cancellationToken)
    {
        var where = $"{host}:{port}";
        var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = KeepAlive;
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = (_, token) => new ValueTask<Stream>(Link.ApiConnector.DialAsync(dialer, host, port, token)),

            // The outer TLS is an ingress's, a proxy's or the gateway's, with any name and any CA: nothing is trusted on account of it. Identity
            // is proven both ways by the TLS inside, and nothing but that TLS is ever sent.
#pragma warning disable CA5359
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = TunnelTls.UnjudgedPolicy(), RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        };
        using var invoker = new HttpMessageInvoker(handler, disposeHandler: false);
        try
        {
            await socket.ConnectAsync(new Uri(new UriBuilder("wss", host, port).Uri, path), invoker, cancellationToken);
            return new WebSocketByteStream(socket);
        }
        catch (Exception e)
        {
            socket.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw LinkProblems.Of(Root(e), where);
        }
    }

    /// <summary>What the WebSocket and HTTP layers wrapped.</summary>
    private static Exception Root(Exception e) => e is WebSocketException or HttpRequestException && e.InnerException is { } inner ? Root(inner) : e;
}
