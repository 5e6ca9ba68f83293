using System.Net;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.WebSocket;

public sealed class WebSocketCarrierTests
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "echo.shop.svc", 7);

    [Fact]
    public async Task Random_chunks_arrive_intact_both_ways_and_the_gateway_knows_who_sent_them()
    {
        await using var gateway = await TestGateway.StartAsync();
        var subjects = new List<string>();
        gateway.Handler = (incoming, token) =>
        {
            subjects.Add(incoming.Peer.Subject);
            return TestGateway.EchoAsync(incoming, token);
        };
        await using var carrier = Carrier(gateway, gateway.Endpoint);
        for (var seed = 0; seed < 5; seed++)
        {
            await FlowProperties.EchoesRandomChunksAsync((await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull(), seed, 600_000);
        }

        subjects.ShouldAllBe(s => s == "invite:alice");
    }

    [Fact]
    public async Task Flows_share_connections_once_there_are_some_and_end_with_a_revocation()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = Carrier(gateway, gateway.Endpoint);
        var patience = Soon;
        while (carrier.SharedConnections == 0)
        {
            await carrier.PingAsync(patience);
            await Task.Delay(1, patience);
        }

        for (var seed = 0; seed < 5; seed++)
        {
            await FlowProperties.EchoesRandomChunksAsync((await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull(), seed, 600_000);
        }

        await using var flow = (await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
        gateway.Direct.Close(peer => peer.Subject == "invite:alice").ShouldBeGreaterThan(0);
        await Should.ThrowAsync<FlowAbortedException>(() => FlowReading.ToEndAsync(flow));
    }

    [Fact]
    public async Task Shared_connection_of_an_identity_that_is_not_accepted_is_refused()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var tunnel = await new WebSocketDialer(new GatewayDialer(proxy: null)).ConnectAsync("127.0.0.1", gateway.ApiPort, GatewayApi.TunnelOfFlows, Soon);
        gateway.Space.Revoked.Add("invite:alice");
        await using var lane = await MuxLane.ConnectAsync(tunnel, gateway.Space.Tls, "test", Soon);
        var refused = await Should.ThrowAsync<CarrierException>(() => lane.PingAsync(Soon));
        refused.Error.Category.ShouldBe(ErrorCategory.Denied);
        gateway.Direct.Connections.ShouldBe(0);
    }

    [Fact]
    public async Task Carrier_goes_through_a_proxy()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new ConnectProxy("u", "p");
        await using var carrier = Carrier(gateway, gateway.Endpoint, new WebProxy($"http://127.0.0.1:{proxy.Port}") { Credentials = new NetworkCredential("u", "p") });
        await carrier.PingAsync(Soon);
        proxy.Targets.Distinct().ShouldBe([$"127.0.0.1:{gateway.ApiPort}"]);
    }

    [Fact]
    public async Task Flow_whose_websocket_breaks_is_aborted()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var proxy = new CuttingProxy(gateway.ApiPort);
        await using var carrier = Carrier(gateway, new GatewayEndpoint("127.0.0.1", proxy.Port, 0));
        await using var flow = (await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
        await flow.WriteAsync(new byte[10], Soon);
        (await flow.ReadAsync(new byte[10], Soon)).ShouldBeGreaterThan(0);
        proxy.Cut();
        await Should.ThrowAsync<FlowAbortedException>(() => FlowReading.ToEndAsync(flow));
    }

    [Fact]
    public async Task Tunnel_inside_a_tunnel_is_refused()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var link = new TunnelLink(
            new TunnelLinkOptions { Endpoints = [gateway.Endpoint with { DataPort = 0 }], Tls = gateway.Space.Tls },
            NullLogger<TunnelLink>.Instance);
        link.Start();
        await link.WaitUntilConnectedAsync(Soon);
        (await link.Api.GetAsync(GatewayApi.Tunnel, Soon)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Tunnel_path_without_a_websocket_asks_for_one()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var client = BootstrapClient.Create(gateway.Token);
        (await client.GetAsync(GatewayApi.Tunnel, Soon)).StatusCode.ShouldBe(HttpStatusCode.UpgradeRequired);
    }

    private static SharedLinkCarrier Carrier(TestGateway gateway, GatewayEndpoint endpoint, IWebProxy? proxy = null) =>
        new(new WebSocketLaneDialer(endpoint, proxy), gateway.Space.Tls, NullLogger.Instance, TimeProvider.System);
}
