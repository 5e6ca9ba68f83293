using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Relay;
using Fairlead.Tunnel.WebSocket;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel;

/// <summary>Both ends that a gateway offers, on loopback, with a handler that the test sets.</summary>
internal sealed class TestGateway : IFlowHandler, IAsyncDisposable
{
    private readonly WebApplication _web;

    private TestGateway(TestSpace space, DirectCarrierServer direct, WebApplication web)
    {
        Space = space;
        Direct = direct;
        _web = web;
    }

    public TestSpace Space { get; }

    public DirectCarrierServer Direct { get; private set; }

    public Func<IIncomingFlow, CancellationToken, Task> Handler { get; set; } = EchoAsync;

    public int ApiPort { get; private set; }

    /// <summary>What pings are told instead of their answer.</summary>
    public string? Unavailable { get; set; }

    public GatewayEndpoint Endpoint => new("127.0.0.1", ApiPort, Direct.EndPoint.Port);

    public DnsEndPoint DataEndPoint => new("127.0.0.1", Direct.EndPoint.Port);

    public JoinToken Token => new("test", TestSpace.Uid, [Endpoint], Convert.ToHexStringLower(SHA256.HashData(Space.Authority.RawData)), "id", "secret", DateTimeOffset.MaxValue);

    public static async Task<TestGateway> StartAsync(TestSpace? space = null, Action<KestrelServerOptions>? kestrel = null, string? pod = null)
    {
        space ??= new TestSpace();
        var certificate = pod is null ? space.Server : space.IssueServer(pod);
        TestGateway? self = null;
        var handler = new Forward(() => self!);
        var direct = StartDirect(space, handler, 0);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddWebSocketTunnel();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.Limits.ConfigureForFlows();
            options.Listen(IPAddress.Loopback, 0, ConfigureTls);
            options.Listen(new WebSocketTunnelEndPoint(), ConfigureTls);
            kestrel?.Invoke(options);
        });
        var web = builder.Build();
        web.UseWebSockets();
        web.MapFlows(handler, context => context.Connection.ClientCertificate is { } shown ? space.Identify(shown) : null, () => self?.Unavailable);
        web.MapWebSocketTunnel(() => self!.Direct);
        web.MapGet(GatewayApi.Authority, () => space.Authority.ExportCertificatePem());
        web.MapGet("/who", (HttpContext context) => context.Connection.ClientCertificate?.Subject ?? "nobody");
        await web.StartAsync();
        self = new TestGateway(space, direct, web) { ApiPort = new Uri(web.Urls.First(u => u.Contains("127.0.0.1", StringComparison.Ordinal))).Port };
        return self;

        void ConfigureTls(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate;
                https.SslProtocols = SslProtocols.Tls13;
                https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                https.ClientCertificateValidation = (_, _, _) => true;
            });
        }
    }

    public Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken) => Handler(flow, cancellationToken);

    /// <summary>As a gateway that was killed: no drain, every connection reset.</summary>
    public ValueTask StopDirectAsync() => Direct.DisposeAsync();

    public void RestartDirect() => Direct = StartDirect(Space, new Forward(() => this), Direct.EndPoint.Port);

    /// <summary>As a replica that was killed, while others of its space go on.</summary>
    public async Task StopAsync()
    {
        await Direct.DisposeAsync();
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _web.StopAsync(now.Token);
        await _web.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Space.Dispose();
    }

    public static async Task EchoAsync(IIncomingFlow incoming, CancellationToken cancellationToken)
    {
        if (incoming.Target.Protocol == TransportProtocol.Udp)
        {
            await using var datagrams = await incoming.AcceptDatagramsAsync(cancellationToken);
            var datagram = new byte[65535];
            for (int length; (length = await datagrams.ReceiveAsync(datagram, cancellationToken)) >= 0;)
            {
                await datagrams.SendAsync(datagram.AsMemory(0, length), cancellationToken);
                if (!datagrams.HasDatagram)
                {
                    await datagrams.FlushAsync(cancellationToken);
                }
            }

            return;
        }

        await using var flow = await incoming.AcceptAsync(cancellationToken);
        var buffer = new byte[64 * 1024];
        for (int count; (count = await flow.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            await flow.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }

        await flow.CompleteWritesAsync(cancellationToken);
    }

    private static DirectCarrierServer StartDirect(TestSpace space, IFlowHandler handler, int port)
    {
        var server = new DirectCarrierServer(
            new DirectCarrierServerOptions
            {
                EndPoint = new IPEndPoint(IPAddress.Loopback, port),
                Certificate = () => space.ServerContext,
                Identify = space.Identify,
                HandshakeTimeout = TimeSpan.FromSeconds(5),
                MaxHandshakes = 16,
            },
            handler,
            NullLogger<DirectCarrierServer>.Instance);
        server.Start();
        return server;
    }

    private sealed class Forward(Func<IFlowHandler> to) : IFlowHandler
    {
        public Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken) => to().HandleAsync(flow, cancellationToken);
    }
}
