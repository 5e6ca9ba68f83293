using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Link;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Http;

public sealed class HttpCarrierTests : IAsyncLifetime
{
    private static readonly FlowTarget Tcp = new(TransportProtocol.Tcp, "echo.shop.svc", 7);
    private static readonly FlowTarget Udp = new(TransportProtocol.Udp, "echo.shop.svc", 7);

    private TestGateway _gateway = null!;
    private HttpCarrier _carrier = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.StartAsync();
        _carrier = new HttpCarrier(_gateway.Space.Tls.ServerName, ConnectAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _carrier.DisposeAsync();
        await _gateway.DisposeAsync();
    }

    private async Task<Stream> ConnectAsync(CancellationToken cancellationToken)
    {
        var transport = await ApiConnector.DialAsync(new GatewayDialer(), "127.0.0.1", _gateway.ApiPort, cancellationToken);
        return await ApiConnector.AuthenticateAsync(transport, _gateway.Space.Tls, "the test's gateway", cancellationToken);
    }

    [Fact]
    public async Task Random_chunks_arrive_intact_both_ways()
    {
        for (var seed = 100; seed < 108; seed++)
        {
            await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), seed, 900_000);
        }
    }

    [Fact]
    public async Task Flow_half_closed_by_the_laptop_still_brings_the_answer()
    {
        _gateway.Handler = FlowProperties.AnswerTriplyAsync;
        await FlowProperties.BringsTheAnswerAfterAHalfCloseAsync(await OpenAsync(), 1000);
    }

    [Fact]
    public async Task Flow_aborted_by_the_gateway_throws()
    {
        _gateway.Handler = async (incoming, token) =>
        {
            var far = await incoming.AcceptAsync(token);
            await far.WriteAsync(new byte[10], token);
            far.Abort(FlowFailure.Reset);
            await far.DisposeAsync();
        };
        await using var flow = await OpenAsync();
        await Should.ThrowAsync<FlowAbortedException>(() => FlowReading.ToEndAsync(flow));
    }

    [Fact]
    public async Task Flow_disposed_by_the_laptop_before_its_end_is_an_abort_for_the_gateway()
    {
        var seen = new TaskCompletionSource<Exception?>();
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            seen.SetResult(await Record.ExceptionAsync(() => FlowReading.ToEndAsync(far)));
        };
        await (await OpenAsync()).DisposeAsync();
        (await seen.Task.WaitAsync(Soon)).ShouldBeOfType<FlowAbortedException>();
    }

    [Fact]
    public async Task Handler_that_returns_without_an_end_is_an_abort_for_the_laptop()
    {
        _gateway.Handler = async (incoming, token) => await (await incoming.AcceptAsync(token)).WriteAsync(new byte[10], token);
        await using var flow = await OpenAsync();
        await Should.ThrowAsync<FlowAbortedException>(() => FlowReading.ToEndAsync(flow));
    }

    [Theory]
    [InlineData(FlowFailure.ConnectionRefused)]
    [InlineData(FlowFailure.NotFound)]
    [InlineData(FlowFailure.Draining)]
    public async Task Refusal_reaches_the_laptop(FlowFailure failure)
    {
        _gateway.Handler = async (incoming, token) => await incoming.RefuseAsync(new FlowRefusal(failure, "weil: das ist so, 100 %"), token);
        (await _carrier.OpenAsync(Tcp, Soon)).Refusal.ShouldBe(new FlowRefusal(failure, "weil: das ist so, 100 %"));
        (await _carrier.OpenDatagramsAsync(Udp, Soon)).Refusal!.Failure.ShouldBe(failure);
    }

    [Fact]
    public async Task Caller_without_an_accepted_certificate_is_denied()
    {
        _gateway.Space.Revoked.Add("invite:alice");
        (await _carrier.OpenAsync(Tcp, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Denied);
        (await Should.ThrowAsync<Fairlead.Tunnel.Tls.CarrierException>(() => _carrier.PingAsync(Soon))).Error.Code.ShouldBe("denied");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1472)]
    [InlineData(65507)]
    public async Task Datagram_of_any_size_comes_back_whole(int size)
    {
        var sent = new byte[size];
        new Random(size).NextBytes(sent);
        await using var flow = (await _carrier.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull();
        var buffer = new byte[65535];
        for (var i = 0; i < 3; i++)
        {
            await flow.SendAsync(sent, Soon);
            await flow.FlushAsync(Soon);
            buffer[..await flow.ReceiveAsync(buffer, Soon)].ShouldBe(sent);
        }
    }

    [Fact]
    public async Task Datagrams_that_are_sent_together_come_back_whole_and_in_order() =>
        await FlowProperties.EchoesDatagramsOfAllSizesAsync((await _carrier.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull());

    [Fact]
    public async Task Datagram_that_was_not_flushed_stays_here()
    {
        var came = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptDatagramsAsync(token);
            var buffer = new byte[100];
            await far.SendAsync(new byte[1], token);
            await far.FlushAsync(token);
            came.SetResult(await far.ReceiveAsync(buffer, token));
        };
        await using var flow = (await _carrier.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull();
        await flow.SendAsync(new byte[5], Soon);
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(1);
        came.Task.IsCompleted.ShouldBeFalse();
        await flow.FlushAsync(Soon);
        (await came.Task.WaitAsync(Soon)).ShouldBe(5);
    }

    [Fact]
    public async Task Datagram_larger_than_udp_allows_is_refused_here()
    {
        await using var flow = (await _carrier.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull();
        await Should.ThrowAsync<ArgumentException>(async () => await flow.SendAsync(new byte[65508], Soon));
    }

    [Fact]
    public async Task Datagrams_end_when_the_gateway_ends_them()
    {
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptDatagramsAsync(token);
            await far.SendAsync(new byte[5], token);
            await far.FlushAsync(token);
        };
        await using var flow = (await _carrier.OpenDatagramsAsync(Udp, Soon)).Flow.ShouldNotBeNull();
        var buffer = new byte[100];
        (await flow.ReceiveAsync(buffer, Soon)).ShouldBeOneOf(5, -1);
        (await flow.ReceiveAsync(buffer, Soon)).ShouldBe(-1);
    }

    [Fact]
    public async Task Two_hundred_stalled_flows_starve_no_other()
    {
        // Each far side neither reads nor stops writing: both directions fill up to their windows.
        _gateway.Handler = async (incoming, token) =>
        {
            if (incoming.Target.Port == 7)
            {
                await TestGateway.EchoAsync(incoming, token);
                return;
            }

            await using var far = await incoming.AcceptAsync(token);
            var chunk = new byte[64 * 1024];
            while (true)
            {
                await far.WriteAsync(chunk, token);
            }
        };
        using var stop = new CancellationTokenSource();
        var stalled = new List<IFlow>();
        var writers = new List<Task>();
        for (var i = 0; i < 200; i++)
        {
            var flow = (await _carrier.OpenAsync(Tcp with { Port = 9 }, Soon)).Flow.ShouldNotBeNull();
            stalled.Add(flow);
            writers.Add(Record.ExceptionAsync(async () =>
            {
                var chunk = new byte[64 * 1024];
                while (true)
                {
                    await flow.WriteAsync(chunk, stop.Token);
                }
            }).AsTask());
        }

        for (var seed = 0; seed < 5; seed++)
        {
            await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), seed, 1_000_000);
        }

        writers.ShouldAllBe(w => !w.IsCompleted);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        foreach (var flow in stalled)
        {
            await flow.DisposeAsync();
        }
    }

    private async Task<IFlow> OpenAsync() => (await _carrier.OpenAsync(Tcp, Soon)).Flow.ShouldNotBeNull();
}
