using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Link;

namespace Fairlead.Tests.Tunnel.Direct;

public sealed class DirectDatagramFlowTests : IAsyncLifetime
{
    private static readonly FlowTarget Udp = new(TransportProtocol.Udp, "dns.shop.svc", 53);

    /// <summary>No spares: a test then counts the connections that flows need.</summary>
    private static readonly DirectCarrierOptions NoSpares = new() { MinSpare = 0, MaxSpare = 0 };

    private TestGateway gateway = null!;
    private DirectCarrier carrier = null!;

    public async ValueTask InitializeAsync()
    {
        gateway = await TestGateway.StartAsync();
        carrier = new DirectCarrier(gateway.DataEndPoint, gateway.Space.Tls, NoSpares);
    }

    public async ValueTask DisposeAsync()
    {
        await carrier.DisposeAsync();
        await gateway.DisposeAsync();
    }

    [Fact]
    public async Task Datagrams_of_all_sizes_come_back_whole_and_in_order() => await FlowProperties.EchoesDatagramsOfAllSizesAsync(await OpenAsync());

    [Fact]
    public async Task Datagram_larger_than_udp_allows_is_refused_here()
    {
        await using var flow = await OpenAsync();
        await Should.ThrowAsync<ArgumentException>(async () => await flow.SendAsync(new byte[65508], Soon));
    }

    [Fact]
    public async Task Datagram_larger_than_the_buffer_is_dropped_and_the_next_one_received()
    {
        await using var flow = await OpenAsync();
        await flow.SendAsync(new byte[200], Soon);
        await flow.SendAsync(new byte[20], Soon);
        await flow.FlushAsync(Soon);
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(20);
    }

    [Fact]
    public async Task Reason_arrives_after_what_was_sent_and_the_connection_carries_the_next_flow()
    {
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptDatagramsAsync(token);
            await far.SendAsync(new byte[5], token);
            await far.AbortAsync(new FlowRefusal(FlowFailure.ConnectionRefused, "port unreachable"), token);
        };
        for (var i = 0; i < 3; i++)
        {
            await using var flow = await OpenAsync();
            var buffer = new byte[100];
            (await flow.ReceiveAsync(buffer, Soon)).ShouldBe(5);
            var ended = await Should.ThrowAsync<FlowAbortedException>(async () => await flow.ReceiveAsync(buffer, Soon));
            (ended.Failure, ended.Message).ShouldBe((FlowFailure.ConnectionRefused, "port unreachable"));

            // Lost, as there is nobody any more.
            await flow.SendAsync(new byte[1], Soon);
            await flow.FlushAsync(Soon);
        }
    }

    [Fact]
    public async Task End_without_a_reason_is_an_end_at_both_ends()
    {
        var over = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        gateway.Handler = async (incoming, token) =>
        {
            await using var far = await incoming.AcceptDatagramsAsync(token);
            over.TrySetResult(await far.ReceiveAsync(new byte[100], token));
        };
        await (await OpenAsync()).DisposeAsync();
        (await over.Task.WaitAsync(Soon)).ShouldBe(-1);

        gateway.Handler = async (incoming, token) => await (await incoming.AcceptDatagramsAsync(token)).DisposeAsync();
        await using var flow = await OpenAsync();
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(-1);
    }

    [Fact]
    public async Task Refusal_is_the_gateways()
    {
        gateway.Handler = async (incoming, token) => await incoming.RefuseAsync(new FlowRefusal(FlowFailure.Denied, "not granted"), token);
        (await carrier.OpenDatagramsAsync(Udp, Soon)).ShouldBe(new FlowOpening<IDatagramFlow>(null, new FlowRefusal(FlowFailure.Denied, "not granted")));
    }

    [Fact]
    public async Task Flows_beyond_the_bound_go_another_way_until_one_ends()
    {
        var flows = new List<IDatagramFlow>();
        for (var i = 0; i < DirectCarrier.MaxDatagramFlows; i++)
        {
            flows.Add(await OpenAsync());
        }

        (await carrier.OpenDatagramsAsync(Udp, Soon)).ShouldBeNull();
        await flows[0].DisposeAsync();
        flows[0] = await OpenAsync();
        foreach (var flow in flows)
        {
            await flow.DisposeAsync();
        }
    }

    [Fact]
    public async Task Flow_by_a_replica_that_fell_silent_ends_and_that_by_another_goes_on()
    {
        await using var flow = await OpenAsync();
        carrier.EndDatagrams("another");
        await flow.SendAsync(new byte[3], Soon);
        await flow.FlushAsync(Soon);
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(3);
        carrier.EndDatagrams(ReplicaName.Of(gateway.Space.Server));
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(-1);
    }

    [Fact]
    public async Task Gateway_that_goes_away_is_an_end_and_no_refusal()
    {
        await using var flow = await OpenAsync();
        await gateway.StopDirectAsync();
        (await flow.ReceiveAsync(new byte[100], Soon)).ShouldBe(-1);
    }

    [Theory]
    [InlineData("FFFE")]
    [InlineData("FFFF")]
    [InlineData("00")]
    [InlineData("000501")]
    public async Task Bytes_that_are_no_datagrams_break_the_flow(string bytes)
    {
        gateway.Handler = async (incoming, token) =>
        {
            // Of the same connection, as a stream.
            await using var far = await incoming.AcceptAsync(token);
            await far.WriteAsync(Convert.FromHexString(bytes), token);
            await far.CompleteWritesAsync(token);
            await far.ReadAsync(new byte[1], token);
        };
        await using var flow = await OpenAsync();
        (await Should.ThrowAsync<FlowAbortedException>(async () => await flow.ReceiveAsync(new byte[100], Soon))).Failure.ShouldBe(FlowFailure.ProtocolError);
    }

    private async Task<IDatagramFlow> OpenAsync() => (await carrier.OpenDatagramsAsync(Udp, Soon)).ShouldNotBeNull().Flow.ShouldNotBeNull();
}
