using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tests.Tunnel.Direct;

public sealed class DirectFlowTests
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "echo.shop.svc", 7);

    [Fact]
    public async Task Flow_half_closed_by_the_laptop_still_brings_the_answer()
    {
        await using var gateway = await TestGateway.StartAsync();
        gateway.Handler = FlowProperties.AnswerTriplyAsync;
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        await FlowProperties.BringsTheAnswerAfterAHalfCloseAsync(await OpenAsync(carrier), 1000);
    }

    [Fact]
    public async Task Flow_half_closed_by_the_far_side_still_takes_bytes()
    {
        await using var gateway = await TestGateway.StartAsync();
        var taken = new TaskCompletionSource<int>();
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await far.CompleteWritesAsync(token);
            taken.SetResult((await FlowReading.ToEndAsync(far)).Length);
        };
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        await using var flow = await OpenAsync(carrier);
        (await flow.ReadAsync(new byte[1], Soon)).ShouldBe(0);
        await flow.WriteAsync(new byte[300_000], Soon);
        await flow.CompleteWritesAsync(Soon);
        (await taken.Task.WaitAsync(Soon)).ShouldBe(300_000);
    }

    [Theory]
    [InlineData(FlowFailure.Reset)]
    [InlineData(FlowFailure.Denied)]
    public async Task Flow_aborted_by_the_gateway_throws_its_reason(FlowFailure failure)
    {
        await using var gateway = await TestGateway.StartAsync();
        gateway.Handler = async (incoming, token) =>
        {
            var far = await incoming.AcceptAsync(token);
            await far.WriteAsync(new byte[10], token);
            far.Abort(failure);
        };
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        await using var flow = await OpenAsync(carrier);
        var aborted = await Should.ThrowAsync<FlowAbortedException>(() => FlowReading.ToEndAsync(flow));
        aborted.Failure.ShouldBe(failure);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.WriteAsync(new byte[1], Soon))).Failure.ShouldBe(failure);
    }

    [Fact]
    public async Task Flow_disposed_by_the_laptop_before_its_end_is_a_reset_for_the_gateway()
    {
        await using var gateway = await TestGateway.StartAsync();
        var seen = new TaskCompletionSource<Exception?>();
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            seen.SetResult(await Record.ExceptionAsync(() => FlowReading.ToEndAsync(far)));
        };
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        await (await OpenAsync(carrier)).DisposeAsync();
        (await seen.Task.WaitAsync(Soon)).ShouldBeOfType<FlowAbortedException>().Failure.ShouldBe(FlowFailure.Reset);
    }

    [Fact]
    public async Task Flow_whose_connection_ends_with_a_plain_fin_is_never_complete()
    {
        await using var gateway = await TestGateway.StartAsync();
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await far.WriteAsync(new byte[1000], token);
            await far.ReadAsync(new byte[1], token);
        };
        await using var proxy = new CuttingProxy(gateway.Direct.EndPoint.Port);
        await using var carrier = new DirectCarrier(new DnsEndPoint("127.0.0.1", proxy.Port), gateway.Space.Tls);
        await using var flow = await OpenAsync(carrier);
        var buffer = new byte[1000];
        for (var have = 0; have < 1000;)
        {
            have += await flow.ReadAsync(buffer.AsMemory(have), Soon);
        }

        proxy.Cut();
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.ReadAsync(buffer, Soon))).Failure.ShouldBe(FlowFailure.LinkDown);
    }

    [Fact]
    public async Task Flow_to_a_reader_that_has_stopped_holds_its_writer_back()
    {
        await using var gateway = await TestGateway.StartAsync();
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await Task.Delay(Timeout.Infinite, token);
        };
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        await using var flow = await OpenAsync(carrier);
        const int Limit = 128 << 20;
        var written = 0L;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        var chunk = new byte[64 * 1024];
        await Should.ThrowAsync<OperationCanceledException>(async () =>
        {
            for (; written < Limit; written += chunk.Length)
            {
                await flow.WriteAsync(chunk, patience.Token);
            }
        });

        // What two kernels' socket buffers take, and nothing of ours.
        written.ShouldBeLessThan(64 << 20);
    }

    [Fact]
    public async Task Random_chunks_arrive_intact_both_ways()
    {
        await using var gateway = await TestGateway.StartAsync();
        await using var carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls);
        for (var seed = 0; seed < 12; seed++)
        {
            var opening = await carrier.OpenAsync(Target, null, Soon);
            await FlowProperties.EchoesRandomChunksAsync(opening.Flow.ShouldNotBeNull(), seed, 900_000);
        }
    }

    private static async Task<IFlow> OpenAsync(DirectCarrier carrier) => (await carrier.OpenAsync(Target, null, Soon)).Flow.ShouldNotBeNull();
}
