using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Relay;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel.Mux;

/// <summary>Many flows on one connection to a gateway's data port.</summary>
public sealed class MuxFlowTests : IAsyncLifetime
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "echo.shop.svc", 7);

    private TestGateway _gateway = null!;
    private CuttingProxy _proxy = null!;
    private MuxLane _lane = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await TestGateway.StartAsync();
        _proxy = new CuttingProxy(_gateway.Direct.EndPoint.Port);
        _lane = await LaneAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _lane.DisposeAsync();
        await _proxy.DisposeAsync();
        await _gateway.DisposeAsync();
    }

    [Theory]
    [InlineData(1, 4_000_000)]
    [InlineData(8, 2_000_000)]
    [InlineData(100, 100_000)]
    public async Task Bytes_of_every_flow_arrive_once_and_in_order(int flows, int most)
    {
        await Task.WhenAll(Enumerable.Range(0, flows).Select(async i => await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), i, most)));
        await EndedAsync();
    }

    [Fact]
    public async Task Flow_half_closed_by_the_laptop_still_brings_the_answer()
    {
        _gateway.Handler = FlowProperties.AnswerTriplyAsync;
        await FlowProperties.BringsTheAnswerAfterAHalfCloseAsync(await OpenAsync(), 300_000);
    }

    [Fact]
    public async Task Flow_half_closed_by_the_far_side_still_takes_bytes()
    {
        var taken = new TaskCompletionSource<int>();
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await far.CompleteWritesAsync(token);
            taken.SetResult((await FlowReading.ToEndAsync(far)).Length);
        };
        await using var flow = await OpenAsync();
        (await flow.ReadAsync(new byte[1], Soon)).ShouldBe(0);
        await flow.WriteAsync(new byte[3_000_000], Soon);
        await flow.CompleteWritesAsync(Soon);
        (await taken.Task.WaitAsync(Soon)).ShouldBe(3_000_000);
    }

    [Theory]
    [InlineData(FlowFailure.Reset)]
    [InlineData(FlowFailure.Denied)]
    public async Task Flow_aborted_by_the_gateway_brings_what_came_before_and_then_the_reason(FlowFailure failure)
    {
        _gateway.Handler = async (incoming, token) =>
        {
            var far = await incoming.AcceptAsync(token);
            await far.WriteAsync(new byte[10], token);
            far.Abort(failure);
        };
        var flow = await OpenAsync();
        (await flow.ReadAsync(new byte[100], Soon)).ShouldBe(10);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.ReadAsync(new byte[100], Soon))).Failure.ShouldBe(failure);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.WriteAsync(new byte[1], Soon))).Failure.ShouldBe(failure);
        await flow.DisposeAsync();
        await EndedAsync();
    }

    [Fact]
    public async Task Flow_disposed_by_the_laptop_before_its_end_is_a_reset_for_the_gateway_and_no_other_flow_notices()
    {
        var seen = new TaskCompletionSource<Exception?>();
        await using var other = await OpenAsync();
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            seen.SetResult(await Record.ExceptionAsync(() => FlowReading.ToEndAsync(far)));
        };
        await (await OpenAsync()).DisposeAsync();
        (await seen.Task.WaitAsync(Soon)).ShouldBeOfType<FlowAbortedException>().Failure.ShouldBe(FlowFailure.Reset);
        await FlowProperties.EchoesRandomChunksAsync(other, 1, 1_000_000);
    }

    [Fact]
    public async Task Flow_that_is_not_read_stops_its_writer_and_no_other_flow()
    {
        var written = 0;
        _gateway.Handler = async (incoming, token) =>
        {
            if (incoming.Target.Port != 9)
            {
                await TestGateway.EchoAsync(incoming, token);
                return;
            }

            await using var far = await incoming.AcceptAsync(token);
            while (true)
            {
                await far.WriteAsync(new byte[10_000], token);
                Interlocked.Add(ref written, 10_000);
            }
        };
        await using var full = await OpenAsync(9);
        var patience = Soon;
        while (Volatile.Read(ref written) <= MuxFlow.Window - 10_000)
        {
            await Task.Delay(1, patience);
        }

        await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), 2, 3_000_000);
        Volatile.Read(ref written).ShouldBeLessThanOrEqualTo(MuxFlow.Window, "no more than there was credit for");

        for (var read = 0; read < 40 * MuxFlow.Window;)
        {
            read += await full.ReadAsync(new byte[50_000], Soon);
        }
    }

    [Fact]
    public async Task Write_that_waits_for_room_and_is_cancelled_resets_its_flow_only()
    {
        _gateway.Handler = async (incoming, token) =>
        {
            if (incoming.Target.Port != 9)
            {
                await TestGateway.EchoAsync(incoming, token);
                return;
            }

            await using var far = await incoming.AcceptAsync(token);
            await Task.Delay(Timeout.Infinite, token);
        };
        await using var stuck = await OpenAsync(9);
        using var cancel = new CancellationTokenSource();
        var write = stuck.WriteAsync(new byte[2 * MuxFlow.Window], cancel.Token).AsTask();
        write.IsCompleted.ShouldBeFalse();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => write);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await stuck.ReadAsync(new byte[1], Soon))).Failure.ShouldBe(FlowFailure.Reset);
        await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), 3, 1_000_000);
    }

    [Fact]
    public async Task Connection_that_breaks_ends_every_flow_and_every_wait()
    {
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await Task.Delay(Timeout.Infinite, token);
        };
        var flow = await OpenAsync();
        var read = flow.ReadAsync(new byte[1], Soon).AsTask();
        var write = flow.WriteAsync(new byte[2 * MuxFlow.Window], Soon).AsTask();
        _proxy.Cut();
        (await Should.ThrowAsync<FlowAbortedException>(() => read)).Failure.ShouldBe(FlowFailure.LinkDown);
        (await Should.ThrowAsync<FlowAbortedException>(() => write)).Failure.ShouldBe(FlowFailure.LinkDown);
        await flow.DisposeAsync();
        _lane.IsUsable.ShouldBeFalse();
        (await _lane.OpenAsync(Target, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
        await Should.ThrowAsync<CarrierException>(() => _lane.PingAsync(Soon));
    }

    [Fact]
    public async Task Refusal_says_why_and_leaves_nothing()
    {
        _gateway.Handler = async (incoming, token) => await incoming.RefuseAsync(new FlowRefusal(FlowFailure.ConnectionRefused, "closed"), token);
        (await _lane.OpenAsync(Target, null, Soon)).Refusal.ShouldBe(new FlowRefusal(FlowFailure.ConnectionRefused, "closed"));
        _gateway.Handler = (_, _) => throw new InvalidOperationException("a defect");
        (await _lane.OpenAsync(Target, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Unreachable);
        await EndedAsync();
        await FlowProperties.EchoesRandomChunksAsync(await EchoOpenAsync(), 4, 10_000);
    }

    [Fact]
    public async Task Open_that_nobody_waits_for_any_more_is_cancelled_at_the_gateway()
    {
        var dialling = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        _gateway.Handler = async (_, token) =>
        {
            token.UnsafeRegister(_ => cancelled.TrySetResult(), null);
            dialling.SetResult();
            await Task.Delay(Timeout.Infinite, token);
        };
        using var patience = new CancellationTokenSource();
        var opening = _lane.OpenAsync(Target, null, patience.Token).AsTask();
        await dialling.Task.WaitAsync(Soon);
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => opening);
        await cancelled.Task.WaitAsync(Soon);
    }

    [Fact]
    public async Task Lane_that_is_lost_lets_go_what_waits_for_its_answer()
    {
        _gateway.Handler = (_, token) => Task.Delay(Timeout.Infinite, token);
        var opening = _lane.OpenAsync(Target, null, Soon).AsTask();
        _lane.Retire(lost: true);
        (await opening).Refusal!.Failure.ShouldBe(FlowFailure.LinkDown);
    }

    [Fact]
    public async Task Lane_that_is_lost_lets_go_what_was_sent_with_an_open_and_it_is_not_sent_twice()
    {
        _gateway.Handler = (_, token) => Task.Delay(Timeout.Infinite, token);
        var (app, captured) = await SocketPair.CreateAsync();
        using var both = app;
        await app.SendAsync("POST"u8.ToArray());
        var opening = _lane.OpenAsync(Target, new EarlyData(captured), Soon).AsTask();
        _lane.Retire(lost: true);
        (await opening).Refusal!.Failure.ShouldBe(FlowFailure.Reset);
        captured.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(EarlyData.MaxLength)]
    [InlineData(300_000)]
    public async Task Bytes_sent_before_the_flow_is_open_arrive_once_and_in_order(int length)
    {
        var (app, captured) = await SocketPair.CreateAsync();
        using var _ = app;
        var sent = new byte[length];
        new Random(length).NextBytes(sent);
        var sending = Task.Run(async () =>
        {
            for (var done = 0; done < sent.Length;)
            {
                done += await app.SendAsync(sent.AsMemory(done));
            }

            app.Shutdown(SocketShutdown.Send);
        });
        var early = new EarlyData(captured);
        var flow = (await _lane.OpenAsync(Target, early, Soon)).Flow.ShouldNotBeNull();
        var relay = FlowRelay.RunAsync(flow, early, new FlowCounters(), Soon);
        (await SocketPair.ReadToEndAsync(app)).ShouldBe(sent);
        (await relay).Reason.ShouldBe(RelayEnd.Completed);
        await sending;
    }

    [Fact]
    public async Task Gateway_that_vanishes_without_an_answer_gets_the_first_bytes_no_second_time()
    {
        var opens = 0;
        _gateway.Handler = (_, token) =>
        {
            opens++;
            _proxy.Cut();
            return Task.Delay(Timeout.Infinite, token);
        };
        var (app, captured) = await SocketPair.CreateAsync();
        using var both = app;
        await app.SendAsync("POST"u8.ToArray());
        (await _lane.OpenAsync(Target, new EarlyData(captured), Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Reset);
        opens.ShouldBe(1);
        captured.Dispose();
    }

    [Fact]
    public async Task Gateway_that_drains_says_goodbye_refuses_what_is_new_and_lets_the_rest_go_on()
    {
        var flow = await OpenAsync();
        var draining = _gateway.Direct.DrainAsync(TimeSpan.FromSeconds(20), Soon);
        (await _lane.OpenAsync(Target, null, Soon)).Refusal!.Failure.ShouldBe(FlowFailure.Draining);
        (await Should.ThrowAsync<CarrierException>(() => _lane.PingAsync(Soon))).Error.Code.ShouldBe(LinkProblems.DrainingCode);
        _lane.IsUsable.ShouldBeFalse();
        draining.IsCompleted.ShouldBeFalse();
        await FlowProperties.EchoesRandomChunksAsync(flow, 5, 1_000_000);
        await _lane.DisposeAsync();
        await draining;
    }

    [Fact]
    public async Task Revocation_ends_the_connection_and_says_why()
    {
        var flow = await OpenAsync();
        _gateway.Direct.Close(peer => peer.Subject == "nobody").ShouldBe(0);
        _gateway.Direct.Close(_ => true).ShouldBe(1);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.ReadAsync(new byte[1], Soon))).Failure.ShouldBeOneOf(FlowFailure.Denied, FlowFailure.LinkDown);
        await flow.DisposeAsync();
    }

    [Fact]
    public async Task Flows_beyond_what_a_connection_takes_are_refused()
    {
        var flows = new List<IFlow>();
        FlowRefusal? refusal = null;
        for (var i = 0; i < 300 && refusal is null; i++)
        {
            var opening = await _lane.OpenAsync(Target, null, Soon);
            refusal = opening.Refusal;
            flows.AddRange(opening.Flow is { } flow ? [flow] : []);
        }

        refusal!.Failure.ShouldBe(FlowFailure.Overloaded);
        flows.Count.ShouldBe(256);
        foreach (var flow in flows)
        {
            await flow.DisposeAsync();
        }
    }

    [Fact]
    public async Task Peer_that_sends_more_than_it_was_given_credit_for_is_cut_off()
    {
        await using var tls = await RawAsync();
        _gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptAsync(token);
            await Task.Delay(Timeout.Infinite, token);
        };
        await tls.WriteAsync(MuxFrames.Open(1, Target), Soon);
        var data = new byte[MuxHeader.Size + MuxHeader.MaxData];
        new MuxHeader(MuxFrameType.Data, MuxHeader.MaxData, 1).Write(data);
        await Record.ExceptionAsync(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                await tls.WriteAsync(data, Soon);
            }
        });
        await ShouldEndAsync(tls);
    }

    [Theory]
    [InlineData("the number of a flow twice")]
    [InlineData("data of no flow")]
    [InlineData("an answer")]
    [InlineData("too much credit")]
    [InlineData("no target")]
    [InlineData("garbage")]
    public async Task Peer_that_breaks_the_protocol_is_cut_off_and_others_go_on(string how)
    {
        await using var tls = await RawAsync();
        await tls.WriteAsync(MuxFrames.Open(2, Target), Soon);
        var credit = new byte[MuxHeader.Size + MuxHeader.CreditLength];
        new MuxHeader(MuxFrameType.Credit, MuxHeader.CreditLength, 2).Write(credit);
        BinaryPrimitives.WriteInt32BigEndian(credit.AsSpan(MuxHeader.Size), int.MaxValue);
        var open = MuxFrames.Open(3, Target);
        Array.Fill(open, (byte)'\n', MuxHeader.Size + 3, open.Length - MuxHeader.Size - 3);
        await tls.WriteAsync(
            how switch
            {
                "the number of a flow twice" => MuxFrames.Open(2, Target),
                "data of no flow" => [3, 0, 0, 1, 0, 0, 0, 9, 0],
                "an answer" => MuxFrames.Outcome(MuxFrameType.Answer, 2, FlowFailure.None, ""),
                "too much credit" => credit,
                "no target" => open,
                _ => "GET / HTTP/1.1\r\n\r\n"u8.ToArray(),
            },
            Soon);
        await ShouldEndAsync(tls);
        await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), 6, 10_000);
    }

    [Fact]
    public async Task Gateway_survives_random_frames()
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            await using var tls = await RawAsync();
            using var bytes = new MemoryStream();
            for (var frame = 0; frame < 50; frame++)
            {
                var payload = new byte[random.Next(0, 40)];
                random.NextBytes(payload);
                var header = new byte[MuxHeader.Size];
                new MuxHeader((MuxFrameType)random.Next(1, 10), payload.Length, (uint)random.Next(0, 5)).Write(header);
                bytes.Write(random.Next(4) == 0 ? MuxFrames.Open((uint)frame + 1, Target) : [.. header, .. payload]);
            }

            await Record.ExceptionAsync(async () => await tls.WriteAsync(bytes.ToArray(), Soon));
        }

        await FlowProperties.EchoesRandomChunksAsync(await OpenAsync(), 7, 100_000);
    }

    private static async Task ShouldEndAsync(SslStream tls)
    {
        var buffer = new byte[4096];
        var thrown = await Record.ExceptionAsync(async () =>
        {
            while (await tls.ReadAsync(buffer, Soon) > 0)
            {
            }
        });
        (thrown is OperationCanceledException).ShouldBeFalse();
    }

    private Task<SslStream> RawAsync() => RawClient.ConnectAsync(_gateway, protocol: MuxConnection.Protocol);

    private async Task<MuxLane> LaneAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync("127.0.0.1", _proxy.Port);
        return await MuxLane.ConnectAsync(new NetworkStream(socket, ownsSocket: true), _gateway.Space.Tls, "test", Soon);
    }

    private async Task<IFlow> OpenAsync(int port = 7) => (await _lane.OpenAsync(Target with { Port = port }, null, Soon)).Flow.ShouldNotBeNull();

    private Task<IFlow> EchoOpenAsync()
    {
        _gateway.Handler = TestGateway.EchoAsync;
        return OpenAsync();
    }

    /// <summary>Neither end remembers a flow.</summary>
    private async Task EndedAsync()
    {
        var patience = Soon;
        while (!_lane.IsIdle)
        {
            await Task.Delay(1, patience);
        }
    }
}
