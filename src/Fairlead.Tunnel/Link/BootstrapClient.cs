using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;

namespace Fairlead.Tunnel.Link;

/// <summary>The gateway's API for enrolment only: before there is a certificate, and when the last one has run out.</summary>
public static class BootstrapClient
{
    /// <summary>A PEM certificate is about 1 KiB; an answer beyond this is not one.</summary>
    private const int MaxAuthority = 16 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>For one endpoint: a firewall that drops what goes to it must not keep the next, an ingress say, from being tried. Longer than a proxy is waited for.</summary>
    private static readonly TimeSpan EndpointPatience = TimeSpan.FromSeconds(10);

    /// <summary>Of an endpoint, before the next one is tried beside it: a cluster may have sixteen, of which only the last, an ingress, lets anybody in.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A client that takes the server only if its certificate is signed by the CA with the token's SHA-256 and carries the space's name. TLS
    /// servers leave the root out of their chain, so the CA is first read over a connection that isn't trusted, and checked. The first
    /// endpoint that answers is used. Failures to connect are <see cref="FairleadException"/>s, inside the <see cref="HttpRequestException"/>.
    /// </summary>
    public static HttpClient Create(JoinToken token) => Create(token, proxy: null, TimeProvider.System);

    /// <summary>A client that shows a certificate which no link can be made with any more. Trusts as <paramref name="tls"/> says; the first endpoint that answers is used.</summary>
    /// <param name="tls">Must outlive the client.</param>
    public static HttpClient CreateForRenewal(IReadOnlyList<GatewayEndpoint> endpoints, TunnelTls tls)
    {
        ArgumentNullException.ThrowIfNull(tls);
        var dialer = new GatewayDialer(null, TimeProvider.System);
        return Create(
            tls.ServerName,
            new Connector(
                endpoints,
                async (endpoint, cancellationToken) => await ApiConnector.AuthenticateAsync(await dialer.DialAsync(endpoint, cancellationToken), tls, $"{endpoint.Host}:{endpoint.ApiPort}", cancellationToken),
                TimeProvider.System));
    }

    internal static HttpClient Create(JoinToken token, IWebProxy? proxy, TimeProvider time)
    {
        var first = new FirstContact(token, new GatewayDialer(proxy, time), time);
        return Create(GatewayApi.ServerName(token.SpaceUid), new Connector(token.Endpoints, first.ConnectAsync, time));
    }

    private static HttpClient Create(string serverName, Connector connector)
    {
        var handler = HttpCarrier.CreateHandler(connector.ConnectAsync);

        // One connect is all endpoints, each with a limit of its own.
        handler.ConnectTimeout = Timeout.InfiniteTimeSpan;
        return new HttpClient(handler)
        {
            BaseAddress = new Uri($"https://{serverName}"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Patience,
        };
    }

    /// <summary>Where only the API's port is exposed it is an HTTP ingress, as a rule, which passes nothing but WebSockets; the gateway's own port takes them, too.</summary>
    private static Task<Stream> DialAsync(this GatewayDialer dialer, GatewayEndpoint endpoint, CancellationToken cancellationToken) => endpoint.DataPort == 0
        ? new WebSocketDialer(dialer).ConnectAsync(endpoint.Host, endpoint.ApiPort, GatewayApi.Tunnel, cancellationToken)
        : ApiConnector.DialAsync(dialer, endpoint.Host, endpoint.ApiPort, cancellationToken);

    /// <param name="connect">To one endpoint, TLS included.</param>
    private sealed class Connector(IReadOnlyList<GatewayEndpoint> endpoints, Func<GatewayEndpoint, CancellationToken, Task<Stream>> connect, TimeProvider time)
    {
        public async Task<Stream> ConnectAsync(CancellationToken cancellationToken)
        {
            var (won, problem) = await StaggeredRace.RunAsync(endpoints, HeadStart, AttemptAsync, late => late.DisposeAsync(), time, cancellationToken);
            return won ?? throw new FairleadException(problem!.Error, problem);
        }

        private async Task<Stream> AttemptAsync(GatewayEndpoint endpoint, CancellationToken cancellationToken)
        {
            using var patience = new CancellationTokenSource(EndpointPatience, time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
            try
            {
                return await connect(endpoint, stop.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw LinkProblems.Of(new SocketException((int)SocketError.TimedOut), $"{endpoint.Host}:{endpoint.ApiPort}");
            }
        }
    }

    /// <summary>With nothing but a join token: trusts the CA that has its fingerprint.</summary>
    private sealed class FirstContact(JoinToken token, GatewayDialer dialer, TimeProvider time)
    {
        public async Task<Stream> ConnectAsync(GatewayEndpoint endpoint, CancellationToken cancellationToken)
        {
            using var authority = await ReadAuthorityAsync(endpoint, cancellationToken);
            var stream = new SslStream(await dialer.DialAsync(endpoint, cancellationToken));
            try
            {
                await stream.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = GatewayApi.ServerName(token.SpaceUid),
                        EnabledSslProtocols = SslProtocols.Tls13,
                        CertificateChainPolicy = TunnelTls.PinnedPolicy(authority, time),
                        RemoteCertificateValidationCallback = (_, server, chain, errors) =>
                            errors == SslPolicyErrors.None ? true : throw LinkProblems.OfServerCertificate(server as X509Certificate2, chain, errors, time.GetUtcNow()),
                        ApplicationProtocols = [SslApplicationProtocol.Http2],
                    },
                    cancellationToken);
                return stream;
            }
            catch (Exception e)
            {
                await stream.DisposeAsync();
                cancellationToken.ThrowIfCancellationRequested();
                throw LinkProblems.Of(e, $"{endpoint.Host}:{endpoint.ApiPort}");
            }
        }

        /// <summary>Nothing secret is sent here, and what is read counts for nothing unless it has the token's fingerprint.</summary>
        private async Task<X509Certificate2> ReadAuthorityAsync(GatewayEndpoint endpoint, CancellationToken cancellationToken)
        {
            var where = $"{endpoint.Host}:{endpoint.ApiPort}";
            using var handler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, token) => await dialer.DialAsync(endpoint, token),
                UseProxy = false,
                AllowAutoRedirect = false,
#pragma warning disable CA5359 // the answer is judged by its fingerprint below, whoever gave it
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
            };
            using var client = new HttpClient(handler)
            {
                BaseAddress = new Uri($"https://{GatewayApi.ServerName(token.SpaceUid)}"),
                MaxResponseContentBufferSize = MaxAuthority,
                Timeout = Patience,
            };
            X509Certificate2 authority;
            try
            {
                authority = X509Certificate2.CreateFromPem(await client.GetStringAsync(GatewayApi.Authority, cancellationToken));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                throw e is CryptographicException or HttpRequestException { StatusCode: not null } ? Unknown("what answers there is no gateway of Fairlead", e) : LinkProblems.Of(Root(e), where);
            }

            if (!Convert.ToHexString(SHA256.HashData(authority.RawData)).Equals(token.AuthoritySha256, StringComparison.OrdinalIgnoreCase))
            {
                authority.Dispose();
                throw Unknown("its CA does not have the fingerprint of the token", null);
            }

            return authority;

            CarrierException Unknown(string why, Exception? inner) => new(
                new ErrorInfo(ErrorCategory.NotConnected, "gateway-unknown", $"The server at {where} is not this space's gateway", why, "Ask for a new token if the gateway was installed anew; else something intercepts the connection."),
                refused: true,
                inner);
        }

        /// <summary>The handler wraps what kept it from connecting.</summary>
        private static Exception Root(Exception e) => e is HttpRequestException { InnerException: { } inner } ? inner : e;
    }
}
