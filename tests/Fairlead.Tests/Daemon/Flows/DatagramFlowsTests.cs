using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Flows;

public sealed class DatagramFlowsTests : FlowsTest
{
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("127.72.1.1"), 53);
    private static readonly IPEndPoint Client = new(IPAddress.Loopback, 40000);

    private DatagramFlows flows = null!;

    protected override Task RunAsync(CancellationToken cancellationToken)
    {
        flows = new DatagramFlows(
            Capture,
            (destination, protocol) => destination.Address.Equals(Destination.Address) ? Toward("dns.shop.svc", destination, protocol) : null,
            Time,
            NullLogger<DatagramFlows>.Instance);
        return flows.RunAsync(cancellationToken);
    }

    protected override int CountOpen() => flows.Open;

    [Fact]
    public async Task Datagrams_go_to_the_service_and_answers_come_from_its_address()
    {
        await SendAsync(Client, Destination, [1, 2, 3]);
        var flow = await Opener.OpenedDatagrams.Task;
        Opener.Target.ShouldBe(new FlowTarget(TransportProtocol.Udp, "dns.shop.svc", 53));
        (await flow.Sent.Reader.ReadAsync()).ShouldBe([1, 2, 3]);
        flow.Answers.Writer.TryWrite([9, 9]);
        var (source, client, payload) = await Capture.Sent.Reader.ReadAsync();
        source.ShouldBe(Destination);
        client.ShouldBe(Client);
        payload.ShouldBe([9, 9]);
    }

    [Fact]
    public async Task Datagrams_of_one_socket_share_an_association()
    {
        await SendAsync(Client, Destination, [1]);
        var flow = await Opener.OpenedDatagrams.Task;
        await flow.Sent.Reader.ReadAsync();
        await SendAsync(Client, Destination, []);
        (await flow.Sent.Reader.ReadAsync()).ShouldBeEmpty();
        Opener.Opens.ShouldBe(1);
        flows.Open.ShouldBe(1);
    }

    [Fact]
    public async Task Idle_association_ends_after_two_minutes()
    {
        await SendAsync(Client, Destination, [1]);
        var flow = await Opener.OpenedDatagrams.Task;
        await flow.Sent.Reader.ReadAsync();
        for (var waited = DatagramFlows.SweepInterval; waited < DatagramFlows.IdleTimeout; waited += DatagramFlows.SweepInterval)
        {
            Time.Advance(DatagramFlows.SweepInterval);
            flow.Disposed.Task.IsCompleted.ShouldBeFalse();
        }

        Time.Advance(DatagramFlows.SweepInterval);
        await flow.Disposed.Task;
    }

    [Fact]
    public async Task Queue_that_is_full_drops_and_counts()
    {
        Opener.Hang = true;
        for (var i = 0; i < DatagramAssociation.MaxQueued + 5; i++)
        {
            await SendAsync(Client, Destination, [1]);
        }

        // Looked at after all of them: this one has a socket of its own.
        await SendAsync(new IPEndPoint(IPAddress.Loopback, 40001), new IPEndPoint(IPAddress.Parse("127.72.9.9"), 1), [1]);
        await UntilAsync(() => flows.Dropped >= 6);

        flows.Dropped.ShouldBe(6);
    }

    [Fact]
    public async Task Queue_with_too_many_bytes_drops_and_counts()
    {
        Opener.Hang = true;
        const int Fit = DatagramAssociation.MaxQueuedBytes / DatagramAssociation.MaxDatagram;
        for (var i = 0; i < Fit + 2; i++)
        {
            await SendAsync(Client, Destination, new byte[DatagramAssociation.MaxDatagram]);
        }

        await UntilAsync(() => flows.Dropped >= 2);

        flows.Dropped.ShouldBe(2);
    }

    [Fact]
    public async Task Refusal_is_not_asked_again_for_each_datagram()
    {
        Opener.Refusal = new FlowRefusal(FlowFailure.Denied, "not granted");
        for (var i = 0; i < 10; i++)
        {
            await SendAsync(Client, Destination, [1]);
        }

        await Opener.Asked.Task;
        Opener.Opens.ShouldBe(1);
    }

    [Fact]
    public async Task Full_table_ends_the_association_that_was_idle_for_longest()
    {
        await SendAsync(Client, Destination, [1]);
        var oldest = await Opener.OpenedDatagrams.Task;
        await oldest.Sent.Reader.ReadAsync();
        Time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < DatagramFlows.MaxAssociations; i++)
        {
            await SendAsync(new IPEndPoint(IPAddress.Loopback, 1000 + i), Destination, [1]);
        }

        await oldest.Disposed.Task;
    }

    private ValueTask SendAsync(IPEndPoint client, IPEndPoint destination, byte[] payload) => Capture.Datagrams.Writer.WriteAsync((client, destination, payload));
}
