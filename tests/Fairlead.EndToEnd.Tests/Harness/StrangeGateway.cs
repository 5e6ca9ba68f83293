using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Gateway;
using Fairlead.Testbed;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;

namespace Fairlead.EndToEnd.Tests.Harness;

/// <summary>
/// A gateway of another version, as a laptop meets it: it has the space's authority, enrols (by the real gateway) and answers pings on the data
/// port (which is the real gateway's), but greets in its own way and knows no other request.
/// </summary>
internal sealed class StrangeGateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _real;
    private readonly X509Certificate2 _certificate;

    private StrangeGateway(WebApplication app, HttpClient real, X509Certificate2 certificate, string token)
    {
        _app = app;
        _real = real;
        _certificate = certificate;
        Token = token;
    }

    /// <summary>A join token that leads here.</summary>
    public string Token { get; }

    /// <param name="address">Of the cluster's host, where <paramref name="realToken"/>'s laptop reaches it.</param>
    /// <param name="greeting">The answer to hello.</param>
    public static async Task<StrangeGateway> StartAsync(Cluster cluster, IPAddress address, string realToken, int status, string greeting)
    {
        var token = JoinToken.Parse(realToken);
        var dataPort = token.Endpoints[0].DataPort;
        (await cluster.Host.RunAsync("nft", $"add chain ip flt strange {{ type nat hook prerouting priority -100; }}; add rule ip flt strange ip daddr {address} tcp dport {dataPort} dnat to {cluster.NodeAddress}")).ShouldSucceed();

        var listener = cluster.Host.OpenSocket(SocketType.Stream);
        listener.Bind(new IPEndPoint(address, 0));
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        using var authority = await SpaceAuthority.LoadAsync(cluster);
        var authorityPem = authority.CertificatePem;
        var certificate = authority.IssueServer(token.SpaceUid);
        var real = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = cluster.Host.OpenSocket(SocketType.Stream);
                await socket.ConnectAsync(IPAddress.Parse(cluster.NodeAddress), token.Endpoints[0].ApiPort, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
#pragma warning disable CA5359 // whom the laptop trusts is what is tested, not whom we do
            SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        })
        { BaseAddress = new Uri($"https://{cluster.NodeAddress}") };

        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ListenHandle((ulong)listener.Handle, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.UseHttps(new HttpsConnectionAdapterOptions
            {
                ServerCertificate = certificate,
                ClientCertificateMode = ClientCertificateMode.AllowCertificate,
                ClientCertificateValidation = static (_, _, _) => true,
            });
        }));
        var app = builder.Build();
        app.UseRouting();
        app.MapGet(GatewayApi.Authority, context => context.Response.WriteAsync(authorityPem));
        app.MapPost(GatewayApi.Enroll, async context =>
        {
            using var answer = await real.PostAsync(GatewayApi.Enroll, new StreamContent(context.Request.Body), Limit.Token);
            context.Response.StatusCode = (int)answer.StatusCode;
            await answer.Content.CopyToAsync(context.Response.Body, Limit.Token);
        });
        // What every version answers: that the way is open.
        app.MapGet("/flow/ping", context =>
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        app.MapPost(GatewayApi.Hello, context =>
        {
            context.Response.StatusCode = status;
            return context.Response.WriteAsync(greeting);
        });
        await app.StartAsync(Limit.Token);

        // Kestrel has the descriptor now and closes it.
        listener.SafeHandle.SetHandleAsInvalid();
        return new StrangeGateway(app, real, certificate, (token with { Endpoints = [new GatewayEndpoint($"{address}", port, dataPort)] }).Encode());
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(limit.Token);
        await _app.DisposeAsync();
        _real.Dispose();
        _certificate.Dispose();
    }
}
