using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Gateway.Health;
using Fairlead.Gateway.Identity;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Api;

/// <summary>
/// Kestrel with the gateway's listeners: the API (TLS on its port, and again inside WebSockets), and health in plain HTTP. Anybody may
/// finish a TLS handshake; who has no certificate that counts gets an answer that says so, and only the paths for joining.
/// </summary>
internal sealed class WebServer(
    GatewayOptions options,
    ApiEndpoints endpoints,
    HealthEndpoints health,
    ClientCertificates certificates,
    SpaceAuthority authority,
    Func<SslStreamCertificateContext> serverCertificate,
    IFlowHandler flows,
    Func<DirectCarrierServer> sharedFlows,
    Func<string?> notReady,
    ILoggerFactory loggers) : IAsyncDisposable
{
    /// <summary>Handshakes and joining need a moment each; this many connections at a time are of nobody knows whom.</summary>
    private const int MaxStrangers = 512;

    private const int MaxConnections = 16384;
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    private readonly StrangerLimit strangers = new(MaxStrangers, TimeProvider.System);
    private readonly CancellationTokenSource stopping = new();
    private WebApplication? app;

    /// <summary>HTTP connections of known callers.</summary>
    public Sessions Connections { get; } = new(perSubject: 256, MaxConnections);

    /// <summary>Where the API and health listen; valid after <see cref="StartAsync"/>.</summary>
    public (int Api, int Health) Ports { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "fairlead-gateway" });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Configure);

        // After Kestrel, which brings its own transport only where there is none yet.
        builder.Services.AddWebSocketTunnel();
        var built = app = builder.Build();
        var errors = new ApiErrors(loggers.CreateLogger<ApiErrors>());
        built.MapWhen(context => context.Features.Get<HealthListener>() is not null, branch => branch.Run(health.HandleAsync));
        built.Use(errors.HandleAsync);
        built.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.FromSeconds(15), KeepAliveTimeout = TimeSpan.FromSeconds(15) });
        built.UseRouting();
        endpoints.Map(built, stopping.Token);
        built.MapFlows(flows, endpoints.Identify, notReady);
        built.MapWebSocketTunnel(sharedFlows);
        await built.StartAsync(cancellationToken);
        var addresses = built.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses;
        Ports = (PortOf(addresses, "https"), PortOf(addresses, "http"));
    }

    /// <summary>Ends catalog streams, then requests and connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (app is not null)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
            await app.StopAsync(limit.Token);
            await app.DisposeAsync();
        }

        stopping.Dispose();
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;

        // Not the bound, which strangers could use up, but above both: each of the members' may be inside a WebSocket, which counts, too.
        kestrel.Limits.MaxConcurrentConnections = (2 * MaxConnections) + MaxStrangers;
        kestrel.Limits.MaxConcurrentUpgradedConnections = MaxConnections;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;

        // Each request bounds its own body; flows have none.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.ConfigureForFlows();
        kestrel.Listen(new IPEndPoint(options.Address, options.ApiPort), ConfigureTls);
        if (!IPAddress.IsLoopback(options.Address) && !options.Address.Equals(IPAddress.Any) && !options.Address.Equals(IPAddress.IPv6Any))
        {
            // Nodes dial the loopback address of a pod for a port-forward (as containerd's and CRI-O's streaming servers do).
            kestrel.Listen(new IPEndPoint(IPAddress.Loopback, options.ApiPort), ConfigureTls);
        }

        kestrel.Listen(new WebSocketTunnelEndPoint(), ConfigureTls);
        kestrel.Listen(new IPEndPoint(options.Address, options.HealthPort), ConfigureHealth);
        if (!options.Address.Equals(IPAddress.Any) && !IPAddress.IsLoopback(options.Address))
        {
            // Where the kubelet's end of a port-forward comes out.
            kestrel.Listen(new IPEndPoint(IPAddress.Loopback, options.HealthPort), ConfigureHealth);
        }
    }

    private void ConfigureHealth(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection => AdmitAsync(connection, next));
        listen.Use(next => connection =>
        {
            connection.Features.Set(new HealthListener());
            return next(connection);
        });
    }

    [SuppressMessage("Security", "CA5359", Justification = "This is the server's side: ClientCertificates judges the client's certificate on every request.")]
    private void ConfigureTls(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.Use(next => connection => AdmitAsync(connection, next));
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = HandshakeTimeout,
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = serverCertificate(),
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                ClientCertificateRequired = true,

                RemoteCertificateValidationCallback = JudgeLater,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                CertificateChainPolicy = OwnRootOnly(authority.Certificate),
            }),
        });
        listen.Use(next => connection => TrackAsync(connection, next));
    }

    /// <summary>Every connection has a place among the strangers until it is known whose it is. One inside a WebSocket has that one's.</summary>
    private async Task AdmitAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.Features.Get<StrangerLimit.Place>() is not null)
        {
            await next(connection);
            return;
        }

        if (!strangers.TryEnter(connection.RemoteEndPoint, () => connection.Abort(new ConnectionAbortedException("its place among strangers went to another")), out var place))
        {
            connection.Abort(new ConnectionAbortedException("there is no place for another stranger"));
            return;
        }

        using (place)
        {
            connection.Features.Set(place);
            await next(connection);
        }
    }

    /// <summary>Knows every connection by its owner, so that a revocation ends it.</summary>
    private async Task TrackAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var certificate = connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate;
        if (certificate is null || certificates.Identify(certificate) is not { } peer)
        {
            await next(connection);
            return;
        }

        using var session = Connections.TryOpen(peer);
        if (session is null)
        {
            connection.Abort(new ConnectionAbortedException($"too many connections of {peer.Subject}"));
            return;
        }

        connection.Features.Get<StrangerLimit.Place>()?.Dispose();
        await using var ended = session.Ended.UnsafeRegister(
            static state => ((ConnectionContext)state!).Abort(new ConnectionAbortedException("access was revoked")), connection);
        await next(connection);
    }

    /// <summary>Certificates are judged after the handshake (<see cref="ClientCertificates"/>), where a refusal can say why; until then they prove nothing.</summary>
    private static bool JudgeLater(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => true;

    private static X509ChainPolicy OwnRootOnly(X509Certificate2 root)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.Add(root);
        return policy;
    }

    private static int PortOf(ICollection<string> addresses, string scheme) =>
        addresses.Select(a => BindingAddress.Parse(a)).First(a => a.Scheme == scheme).Port;
}
