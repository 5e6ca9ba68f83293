using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tests.Tunnel.Relay;

/// <summary>An application's socket, a relay, the direct carrier, a relay, a far socket.</summary>
public sealed class FlowRelayTests : IAsyncLifetime
{
    private readonly FlowCounters _near = new();
    private readonly FlowCounters _far = new();
    private TestGateway _gateway = null!;
    private DirectCarrier _carrier = null!;
    private Task<RelayEnding> _nearRelay = null!;
    private Task<RelayEnding> _farRelay = null!;
    private Socket _app = null!;
    private Socket _server = null!;
    private readonly CancellationTokenSource _cancel = new();

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.StartAsync();
        var (inner, server) = await SocketPair.CreateAsync();
        _server = server;
        var relaying = new TaskCompletionSource<Task<RelayEnding>>();
        _gateway.Handler = async (incoming, _) =>
        {
            var relay = FlowRelay.RunAsync(await incoming.AcceptAsync(Soon), inner, _far, CancellationToken.None);
            relaying.SetResult(relay);
            await relay;
        };
        _carrier = new DirectCarrier(_gateway.DataEndPoint, _gateway.Space.Tls);
        var opening = await _carrier.OpenAsync(new FlowTarget(TransportProtocol.Tcp, "a.b.svc", 1), null, Soon);
        (_app, var outer) = await SocketPair.CreateAsync();
        _nearRelay = FlowRelay.RunAsync(opening.Flow.ShouldNotBeNull(), outer, _near, _cancel.Token);
        _farRelay = await relaying.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _app.Dispose();
        _server.Dispose();
        await _nearRelay.WaitAsync(Soon);
        await _farRelay.WaitAsync(Soon);
        await _carrier.DisposeAsync();
        await _gateway.DisposeAsync();
        _cancel.Dispose();
    }

    [Fact]
    public async Task Bytes_and_half_closes_pass_both_ways_and_are_counted()
    {
        var request = Random.Shared.GetItems<byte>([1, 2, 3], 700_000);
        var sending = _app.SendAsync(request);
        var reading = SocketPair.ReadToEndAsync(_server);
        await sending;
        _app.Shutdown(SocketShutdown.Send);
        (await reading).ShouldBe(request);

        await _server.SendAsync(new byte[] { 9, 8, 7 });
        _server.Shutdown(SocketShutdown.Send);
        (await SocketPair.ReadToEndAsync(_app)).ShouldBe([9, 8, 7]);

        var ending = await _nearRelay.WaitAsync(Soon);
        ending.ShouldBe(new RelayEnding(RelayEnd.Completed, FlowFailure.None, 700_000, 3, "completed"));
        (await _farRelay.WaitAsync(Soon)).Reason.ShouldBe(RelayEnd.Completed);
        (_near.BytesFromSocket, _near.BytesToSocket, _near.Open).ShouldBe((700_000, 3, 0));
    }

    [Fact]
    public async Task Reset_of_the_application_is_a_reset_of_the_far_socket()
    {
        await _app.SendAsync(new byte[1]);
        await _server.ReceiveAsync(new byte[1]);
        SocketPair.Reset(_app);
        await ShouldBeResetAsync(_server);
        (await _nearRelay.WaitAsync(Soon)).Reason.ShouldBe(RelayEnd.SocketReset);
        (await _farRelay.WaitAsync(Soon)).ShouldSatisfyAllConditions(e => e.Reason.ShouldBe(RelayEnd.FlowReset), e => e.Failure.ShouldBe(FlowFailure.Reset));
    }

    [Fact]
    public async Task Reset_of_the_far_socket_is_a_reset_of_the_application()
    {
        SocketPair.Reset(_server);
        await ShouldBeResetAsync(_app);
        (await _farRelay.WaitAsync(Soon)).Reason.ShouldBe(RelayEnd.SocketReset);
        (await _nearRelay.WaitAsync(Soon)).Reason.ShouldBe(RelayEnd.FlowReset);
    }

    [Fact]
    public async Task Reset_after_a_half_close_is_still_a_reset()
    {
        _app.Shutdown(SocketShutdown.Send);
        (await _server.ReceiveAsync(new byte[1], Soon)).ShouldBe(0);
        SocketPair.Reset(_server);
        await ShouldBeResetAsync(_app);
    }

    [Fact]
    public async Task Gateway_that_dies_is_a_reset_of_the_application_not_an_end()
    {
        await _gateway.StopDirectAsync();
        await ShouldBeResetAsync(_app);
    }

    [Fact]
    public async Task Cancelled_relay_resets_both()
    {
        await _cancel.CancelAsync();
        await ShouldBeResetAsync(_app);
        await ShouldBeResetAsync(_server);
        (await _nearRelay.WaitAsync(Soon)).Reason.ShouldBe(RelayEnd.Cancelled);
    }

    private static async Task ShouldBeResetAsync(Socket socket) =>
        (await Should.ThrowAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[1], Soon))).SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
}
