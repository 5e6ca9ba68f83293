using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tests.Tunnel;

/// <summary>A client of the data port that sends what it likes.</summary>
internal static class RawClient
{
    public static async Task<SslStream> ConnectAsync(TestGateway gateway, bool withCertificate = true, SslApplicationProtocol? protocol = null)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(gateway.Direct.EndPoint);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = GatewayApi.ServerName(TestSpace.Uid),
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
                ClientCertificates = withCertificate ? [gateway.Space.Client] : null,
                ApplicationProtocols = [protocol ?? DirectDialer.Protocol],
            },
            patience.Token);
        return tls;
    }
}
