using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Tests.Daemon.Fakes;
using Fairlead.Tests.Kubernetes;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Flows;

public sealed class DatagramFlowsTests : IAsyncLifetime
{
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("127.72.1.1"), 53);
    private static readonly IPEndPoint Client = new(IPAddress.Loopback, 40000);

    private readonly FakeCapture capture = new();
    private readonly ManualTime time = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly StubOpener opener = new();
    private DatagramFlows flows = null!;
    private Task running = Task.CompletedTask;

    public ValueTask InitializeAsync()
    {
        var counters = new FlowCounters();
        flows = new DatagramFlows(
            capture,
            (destination, protocol) => destination.Address.Equals(Destination.Address) ? new FlowDestination(opener, new FlowTarget(protocol, "dns.shop.svc", destination.Port), counters) : null,
            time,
            NullLogger<DatagramFlows>.Instance);
        running = flows.RunAsync(stopping.Token);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await running;
        flows.Open.ShouldBe(0);
    }

    [Fact]
    public async Task Datagrams_go_to_the_service_and_answers_come_from_its_address()
    {
        await SendAsync(Client, Destination, [1, 2, 3]);
        var flow = await opener.OpenedDatagrams.Task;
        opener.Target.ShouldBe(new FlowTarget(TransportProtocol.Udp, "dns.shop.svc", 53));
        (await flow.Sent.Reader.ReadAsync()).ShouldBe([1, 2, 3]);
        flow.Answers.Writer.TryWrite([9, 9]);
        var (source, client, payload) = await capture.Sent.Reader.ReadAsync();
        source.ShouldBe(Destination);
        client.ShouldBe(Client);
        payload.ShouldBe([9, 9]);
    }

    [Fact]
    public async Task Datagrams_of_one_socket_share_an_association()
    {
        await SendAsync(Client, Destination, [1]);
        var flow = await opener.OpenedDatagrams.Task;
        await flow.Sent.Reader.ReadAsync();
        await SendAsync(Client, Destination, []);
        (await flow.Sent.Reader.ReadAsync()).ShouldBeEmpty();
        opener.Opens.ShouldBe(1);
        flows.Open.ShouldBe(1);
    }

    [Fact]
    public async Task Idle_association_ends_after_two_minutes()
    {
        await SendAsync(Client, Destination, [1]);
        var flow = await opener.OpenedDatagrams.Task;
        await flow.Sent.Reader.ReadAsync();
        for (var waited = DatagramFlows.SweepInterval; waited < DatagramFlows.IdleTimeout; waited += DatagramFlows.SweepInterval)
        {
            time.Advance(DatagramFlows.SweepInterval);
            flow.Disposed.Task.IsCompleted.ShouldBeFalse();
        }

        time.Advance(DatagramFlows.SweepInterval);
        await flow.Disposed.Task;
    }

    [Fact]
    public async Task Queue_that_is_full_drops_and_counts()
    {
        opener.Hang = true;
        for (var i = 0; i < DatagramAssociation.MaxQueued + 5; i++)
        {
            await SendAsync(Client, Destination, [1]);
        }

        // Looked at after all of them: this one has a socket of its own.
        await SendAsync(new IPEndPoint(IPAddress.Loopback, 40001), new IPEndPoint(IPAddress.Parse("127.72.9.9"), 1), [1]);
        while (flows.Dropped < 6)
        {
            await Task.Delay(1);
        }

        flows.Dropped.ShouldBe(6);
    }

    [Fact]
    public async Task Refusal_is_not_asked_again_for_each_datagram()
    {
        opener.Refusal = new FlowRefusal(FlowFailure.Denied, "not granted");
        for (var i = 0; i < 10; i++)
        {
            await SendAsync(Client, Destination, [1]);
        }

        await opener.Asked.Task;
        opener.Opens.ShouldBe(1);
    }

    [Fact]
    public async Task Full_table_ends_the_association_that_was_idle_for_longest()
    {
        await SendAsync(Client, Destination, [1]);
        var oldest = await opener.OpenedDatagrams.Task;
        await oldest.Sent.Reader.ReadAsync();
        time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < DatagramFlows.MaxAssociations; i++)
        {
            await SendAsync(new IPEndPoint(IPAddress.Loopback, 1000 + i), Destination, [1]);
        }

        await oldest.Disposed.Task;
    }

    private ValueTask SendAsync(IPEndPoint client, IPEndPoint destination, byte[] payload) => capture.Datagrams.Writer.WriteAsync((client, destination, payload));
}
