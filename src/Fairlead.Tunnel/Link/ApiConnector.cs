using System.Net.Security;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>TLS to the gateway's API over whatever byte stream leads there.</summary>
internal static class ApiConnector
{
    private static readonly SslApplicationProtocol[] Protocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];

    /// <param name="transport">Owned from here on.</param>
    /// <exception cref="CarrierException">The handshake failed.</exception>
    public static async Task<SslStream> AuthenticateAsync(Stream transport, TunnelTls tls, string where, CancellationToken cancellationToken)
    {
        var stream = new SslStream(transport);
        try
        {
            await stream.AuthenticateAsClientAsync(tls.ClientOptions(tls.Certificate, Protocols), cancellationToken);
            return stream;
        }
        catch (Exception e)
        {
            await stream.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
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
