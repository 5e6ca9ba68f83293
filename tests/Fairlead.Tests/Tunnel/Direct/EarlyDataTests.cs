using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tests.Tunnel.Direct;

public sealed class EarlyDataTests : IAsyncLifetime
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "echo.shop.svc", 7);
    private static readonly DirectCarrierOptions NoSpares = new() { MinSpare = 0, MaxSpare = 0 };

    private TestGateway _gateway = null!;
    private CuttingProxy _proxy = null!;
    private DirectCarrier _carrier = null!;
    private Socket _app = null!;
    private EarlyData _early = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.StartAsync();
        _proxy = new CuttingProxy(_gateway.Direct.EndPoint.Port);
        _carrier = new DirectCarrier(new DnsEndPoint("127.0.0.1", _proxy.Port), _gateway.Space.Tls, NoSpares);
        await NewApplicationAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _app.Dispose();
        _early.Socket.Dispose();
        await _carrier.DisposeAsync();
        await _proxy.DisposeAsync();
        await _gateway.DisposeAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(EarlyData.MaxLength)]
    [InlineData(300_000)]
    public async Task Bytes_sent_before_the_flow_is_open_arrive_once_and_in_order(int length)
    {
        var sent = RandomBytes(length);
        var sending = SendAndEndAsync(sent);
        await EchoesAsync(sent);
        await sending;
    }

    [Fact]
    public async Task Bytes_go_to_the_gateway_while_its_answer_is_awaited()
    {
        var dialled = new TaskCompletionSource();
        _gateway.Handler = async (incoming, token) =>
        {
            await dialled.Task;
            await TestGateway.EchoAsync(incoming, token);
        };
        var opening = _carrier.OpenAsync(Target, _early, Soon).AsTask();
        await _app.SendAsync("hello"u8.ToArray());
        while (_early.Taken.IsEmpty)
        {
            await Task.Delay(1, Soon);
        }

        opening.IsCompleted.ShouldBeFalse();
        dialled.SetResult();
        var flow = (await opening).Flow.ShouldNotBeNull();
        var relay = FlowRelay.RunAsync(flow, _early, new FlowCounters(), Soon);
        await SendAndEndAsync(" world"u8.ToArray());
        (await SocketPair.ReadToEndAsync(_app)).ShouldBe("hello world"u8.ToArray());
        (await relay).BytesFromSocket.ShouldBe(11);
    }

    [Fact]
    public async Task Refusal_discards_them_and_the_connection_serves_on()
    {
        _gateway.Handler = async (incoming, token) => await incoming.RefuseAsync(new FlowRefusal(FlowFailure.ConnectionRefused, "closed"), token);
        await _app.SendAsync(new byte[EarlyData.MaxLength]);
        (await _carrier.OpenAsync(Target, _early, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.ConnectionRefused);

        _gateway.Handler = TestGateway.EchoAsync;
        await NewApplicationAsync();
        await SendAndEndAsync("again"u8.ToArray());
        await EchoesAsync("again"u8.ToArray());
        _proxy.Accepted.ShouldBe(1);
    }

    [Fact]
    public async Task Gateway_that_vanishes_without_an_answer_gets_them_no_second_time()
    {
        var opens = 0;
        _gateway.Handler = TestGateway.EchoAsync;
        await SendAndEndAsync("warm"u8.ToArray());
        await EchoesAsync("warm"u8.ToArray());

        _gateway.Handler = (_, token) =>
        {
            opens++;
            _proxy.Cut();
            return Task.Delay(Timeout.Infinite, token);
        };
        await NewApplicationAsync();
        await _app.SendAsync("POST"u8.ToArray());
        (await _carrier.OpenAsync(Target, _early, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Reset);
        opens.ShouldBe(1);
    }

    [Fact]
    public async Task Gateway_that_goes_away_refuses_what_is_on_its_way_to_an_idle_connection()
    {
        var opens = 0;
        _gateway.Handler = (_, _) =>
        {
            opens++;
            return Task.CompletedTask;
        };
        await using var tls = await RawClient.ConnectAsync(_gateway);
        await tls.WriteAsync(FrameCodec.Ping(FrameType.Ping, new byte[8]), Soon);
        await tls.ReadExactlyAsync(new byte[12], Soon);
        var draining = _gateway.Direct.DrainAsync(TimeSpan.FromSeconds(10), Soon);
        await tls.WriteAsync(FrameCodec.WithData(FrameCodec.Open(Target), "POST"u8), Soon);

        var answer = new byte[FrameHeader.Size + 1];
        await tls.ReadExactlyAsync(answer, Soon);
        answer[0].ShouldBe((byte)FrameType.Abort);
        answer[4].ShouldBe((byte)FlowFailure.Draining);
        await draining;
        opens.ShouldBe(0);
    }

    [Fact]
    public async Task Bytes_that_were_taken_but_not_sent_are_written_by_the_relay()
    {
        await SendAndEndAsync("taken"u8.ToArray());
        await _early.Arrived;
        _early.Take().Length.ShouldBe(5);
        var flow = (await _carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
        await FlowRelay.RunAsync(flow, _early, new FlowCounters(), Soon);
        (await SocketPair.ReadToEndAsync(_app)).ShouldBe("taken"u8.ToArray());
    }

    private static byte[] RandomBytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private async Task NewApplicationAsync()
    {
        _app?.Dispose();
        _early?.Socket.Dispose();
        (_app, var captured) = await SocketPair.CreateAsync();
        _early = new EarlyData(captured);
    }

    private async Task SendAndEndAsync(byte[] bytes)
    {
        for (var sent = 0; sent < bytes.Length;)
        {
            sent += await _app.SendAsync(bytes.AsMemory(sent));
        }

        _app.Shutdown(SocketShutdown.Send);
    }

    private async Task EchoesAsync(byte[] expected)
    {
        var flow = (await _carrier.OpenAsync(Target, _early, Soon)).Flow.ShouldNotBeNull();
        var relay = FlowRelay.RunAsync(flow, _early, new FlowCounters(), Soon);
        (await SocketPair.ReadToEndAsync(_app)).ShouldBe(expected);
        (await relay).ShouldSatisfyAllConditions(
            ending => ending.Reason.ShouldBe(RelayEnd.Completed),
            ending => ending.BytesFromSocket.ShouldBe(expected.Length),
            ending => ending.BytesToSocket.ShouldBe(expected.Length));
    }
}
