using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Flows;

/// <summary>Protocols that keep a connection and use it both ways: WebSockets, and HTTP/2 without TLS as gRPC speaks it.</summary>
public sealed class ProtocolTests(Lab lab) : LabTest(lab)
{
    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task WebSocket_stays_open_and_closes_with_a_handshake(Way way)
    {
        Need(ClusterFeature.Redis); // whose number of orders it tells
        var laptop = await Lab.LaptopAsync(way);
        using var client = new HttpMessageInvoker(HandlerOf(laptop));
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri("ws://frontend.shop/live"), client, Limit.Token);
        var buffer = new byte[4096];
        for (var i = 0; i < 2; i++)
        {
            var message = await socket.ReceiveAsync(buffer, Limit.Token);
            message.MessageType.ShouldBe(WebSocketMessageType.Text);
            JsonDocument.Parse(buffer.AsMemory(0, message.Count)).RootElement.GetProperty("pod").GetString()!.ShouldStartWith("frontend-");
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "enough", Limit.Token);
        socket.CloseStatus.ShouldBe(WebSocketCloseStatus.NormalClosure);
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Http2_with_prior_knowledge_carries_many_requests_on_one_connection(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        var connections = 0;
        using var client = new HttpClient(HandlerOf(laptop, () => connections++)) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        await client.GetStringAsync("http://stock.shop:8080/stock", Limit.Token);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.GetStringAsync("http://stock.shop:8080/stock", Limit.Token)));
        answers.ShouldAllBe(answer => answer.Contains("HTTP/2"));
        connections.ShouldBe(1);
    }

    private static SocketsHttpHandler HandlerOf(Laptop laptop, Action? connected = null) => new()
    {
        UseProxy = false,
        ConnectCallback = async (context, cancellationToken) =>
        {
            var socket = laptop.Host.OpenSocket(SocketType.Stream);
            await socket.ConnectAsync(await laptop.ResolveAsync(context.DnsEndPoint.Host), context.DnsEndPoint.Port, cancellationToken);
            connected?.Invoke();
            return new NetworkStream(socket, ownsSocket: true);
        },
    };
}
