using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

public sealed class TunnelLinkTests
{
    private static readonly FlowTarget Tcp = new(TransportProtocol.Tcp, "echo.shop.svc", 7);
    private static readonly FlowTarget Udp = new(TransportProtocol.Udp, "echo.shop.svc", 7);

    [Fact]
    public async Task Link_to_a_gateway_connects_directly_and_carries_tcp_udp_and_the_api()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var link = Connect(gateway, gateway.Endpoint);
        await link.WaitUntilConnectedAsync(Soon);

        link.Status.Carrier.ShouldBe("direct");
        await EchoesAsync(link);
        (await link.Api.GetStringAsync("/who", Soon)).ShouldContain("invite:alice");
    }

    [Fact]
    public async Task Link_without_a_data_port_connects_by_websocket_and_carries_tcp_udp_and_the_api()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var link = Connect(gateway, gateway.Endpoint with { DataPort = 0 });
        await link.WaitUntilConnectedAsync(Soon);

        link.Status.Carrier.ShouldBe("websocket");
        await EchoesAsync(link);
        (await link.Api.GetStringAsync("/who", Soon)).ShouldContain("invite:alice");
    }

    [Fact]
    public async Task Link_to_a_gateway_of_another_ca_is_refused()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var other = new TestSpace();
        await using var link = Connect(gateway, gateway.Endpoint, new TunnelTls(TestSpace.Uid, other.Authority, () => gateway.Space.Client));

        var refused = await Should.ThrowAsync<FairleadException>(() => link.WaitUntilConnectedAsync(Soon));

        refused.Error.Code.ShouldBe("gateway-untrusted");
        (await link.OpenAsync(Tcp, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
    }

    [Fact]
    public async Task Link_of_a_revoked_certificate_is_refused_and_a_redial_after_a_new_one_connects()
    {
        await using var gateway = await TestGateway.StartAsync();
        gateway.Space.Revoked.Add("invite:alice");
        await using var link = Connect(gateway, gateway.Endpoint);

        var refused = await Should.ThrowAsync<FairleadException>(() => link.WaitUntilConnectedAsync(Soon));
        refused.Error.Code.ShouldBe("denied");
        (await link.OpenAsync(Tcp, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Denied);

        gateway.Space.Client = gateway.Space.IssueClient("bob");
        var connected = ChangeTo(link, LinkState.Connected);
        link.Redial();
        await connected.WaitAsync(Soon);
        await EchoesAsync(link);
    }

    private static async Task EchoesAsync(TunnelLink link)
    {
        await using var flow = (await link.OpenAsync(Tcp, null, Soon)).Flow.ShouldNotBeNull();
        await flow.WriteAsync("hello"u8.ToArray(), Soon);
        await flow.CompleteWritesAsync(Soon);
        (await FlowReading.ToEndAsync(flow)).ShouldBe("hello"u8.ToArray());

        await using var datagrams = (await link.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull();
        await datagrams.SendAsync("dgram"u8.ToArray(), Soon);
        await datagrams.FlushAsync(Soon);
        var buffer = new byte[100];
        buffer[..await datagrams.ReceiveAsync(buffer, Soon)].ShouldBe("dgram"u8.ToArray());
    }

    private static Task ChangeTo(TunnelLink link, LinkState state)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        link.Changed += status =>
        {
            if (status.State == state)
            {
                seen.TrySetResult();
            }
        };
        return seen.Task;
    }

    private static TunnelLink Connect(TestGateway gateway, GatewayEndpoint endpoint, TunnelTls? tls = null)
    {
        var link = new TunnelLink(new TunnelLinkOptions { Endpoints = [endpoint], Tls = tls ?? gateway.Space.Tls }, NullLogger<TunnelLink>.Instance);
        link.Start();
        return link;
    }
}
