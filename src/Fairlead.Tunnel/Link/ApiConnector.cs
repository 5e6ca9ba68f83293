using System.Net.Security;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>TLS to the gateway over whatever byte stream leads there.</summary>
internal static class ApiConnector
{
    private static readonly SslApplicationProtocol[] Http = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];

    public static Task<SslStream> AuthenticateAsync(Stream transport, TunnelTls tls, string where, CancellationToken cancellationToken) =>
        AuthenticateAsync(transport, tls, Http, where, cancellationToken);

    /// <param name="transport">Owned from here on.</param>
    /// <param name="protocols">What to speak inside (RFC 7301).</param>
    /// <exception cref="CarrierException">The handshake failed.</exception>
    public static async Task<SslStream> AuthenticateAsync(Stream transport, TunnelTls tls, SslApplicationProtocol[] protocols, string where, CancellationToken cancellationToken)
    {
        var stream = new SslStream(transport);
        var started = TunnelMetrics.Now;
        try
        {
            await stream.AuthenticateAsClientAsync(tls.ClientOptions(tls.Certificate, protocols), cancellationToken);
            TunnelMetrics.Handshake(started, client: true, failed: false);
            return stream;
        }
        catch (Exception e)
        {
            await stream.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
            TunnelMetrics.Handshake(started, client: true, failed: true);
            throw LinkProblems.Of(e, where);
        }
    }

    /// <exception cref="CarrierException">No connection could be had.</exception>
    public static async Task<Stream> DialAsync(GatewayDialer dialer, string host, int port, CancellationToken cancellationToken)
    {
        try
        {
            return new System.Net.Sockets.NetworkStream(await dialer.ConnectAsync(host, port, cancellationToken), ownsSocket: true);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            throw LinkProblems.Of(e, $"{host}:{port}");
        }
    }
}
