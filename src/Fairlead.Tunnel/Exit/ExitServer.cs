using System.Net.Security;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Exit;

/// <summary>The agent's end: connects to a gateway and serves the flows that the gateway opens on that connection.</summary>
public static class ExitServer
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Within a cluster, where the round trip is short, this is no brake; and all streams' windows together fit into a small process.</summary>
    private const int StreamWindow = 64 * 1024;

    /// <summary>Runs until the connection ends.</summary>
    /// <param name="host">The gateway's pod.</param>
    /// <param name="port">Of its direct carrier.</param>
    /// <exception cref="FairleadException">No connection could be had.</exception>
    public static async Task RunAsync(string host, int port, TunnelTls tls, IFlowHandler handler, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var stream = await ConnectAsync(host, port, tls, cancellationToken);
        await using var connection = new StreamConnection(stream, remote: null);
        var factory = new StreamListenerFactory<ExitEndPoint>();
        var gateway = new PeerIdentity("gateway", DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "fairlead-agent" });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.ConfigureForFlows();
            kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
            kestrel.Limits.Http2.InitialConnectionWindowSize = LaneLoad.MaxFlows * StreamWindow;
            kestrel.Listen(new ExitEndPoint(), listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton<IConnectionListenerFactory>(factory);
        await using var app = builder.Build();
        app.UseRouting();
        app.MapFlows(handler, _ => gateway);
        await app.StartAsync(cancellationToken);
        if (factory.Listener!.TryOffer(connection))
        {
            await connection.Closed.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await app.StopAsync(patience.Token);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static async Task<Stream> ConnectAsync(string host, int port, TunnelTls tls, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(ConnectTimeout);
        SslStream? stream = null;
        try
        {
            stream = new SslStream(new RecordStream(await new GatewayDialer(proxy: null).ConnectAsync(host, port, deadline.Token)));
            await stream.AuthenticateAsClientAsync(tls.ClientOptions(tls.Certificate, ExitProtocol.Alpn), deadline.Token);
            return stream.NegotiatedApplicationProtocol == ExitProtocol.Alpn ? stream : throw LinkProblems.OfRefusal(new FlowRefusal(FlowFailure.ProtocolError, "the gateway takes no agents"));
        }
        catch (Exception e)
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }

            cancellationToken.ThrowIfCancellationRequested();
            throw new FairleadException(LinkProblems.Of(e, $"{host}:{port}").Error, e);
        }
    }
}
