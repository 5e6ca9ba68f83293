using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Platform.Capture;
using Fairlead.Tests.Daemon.Fakes;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Flows;

public sealed class TunFlowsTests : FlowsTest
{
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("10.96.0.10"), 80);
    private static readonly IPEndPoint Client = new(IPAddress.Parse("246.255.72.1"), 4000);
    private readonly FakeTun tun = new();
    private Task running = Task.CompletedTask;
    private TunFlows flows = null!;

    protected override Task RunAsync(CancellationToken cancellationToken)
    {
        flows = new TunFlows(
            tun, (destination, protocol) => destination.Address.Equals(Destination.Address) ? Toward("10.96.0.10", destination, protocol) : null, Time, NullLoggerFactory.Instance);
        return running = flows.RunAsync(cancellationToken);
    }

    protected override int CountOpen() => flows.Tcp.Open + flows.Datagrams.Open + flows.Echoes.Open;

    [Fact]
    public async Task Connection_is_accepted_once_the_far_side_was_dialled()
    {
        Opener.Hang = true;
        var connection = Offer(Destination);
        await Opener.Asked.Task;
        connection.Connected.Task.IsCompleted.ShouldBeFalse();
        Opener.Target.ShouldBe(new FlowTarget(TransportProtocol.Tcp, "10.96.0.10", 80));
        Time.Advance(TcpFlows.OpenTimeout);
        (await connection.Refused.Task).ShouldBe(CaptureRefusal.Silence);

        Opener.Hang = false;
        using var program = await Offer(Destination).Connected.Task;
        var flow = await Opener.Opened.Task;
        await program.SendAsync("ping"u8.ToArray());
        (await flow.ReceiveAsync(4)).ShouldBe("ping"u8.ToArray());
    }

    [Theory]
    [InlineData(FlowFailure.ConnectionRefused, CaptureRefusal.Refused)]
    [InlineData(FlowFailure.NotFound, CaptureRefusal.Refused)]
    [InlineData(FlowFailure.TimedOut, CaptureRefusal.Silence)]
    [InlineData(FlowFailure.Overloaded, CaptureRefusal.Silence)]
    [InlineData(FlowFailure.Unreachable, CaptureRefusal.Unreachable)]
    [InlineData(FlowFailure.LinkDown, CaptureRefusal.Unreachable)]
    [InlineData(FlowFailure.Denied, CaptureRefusal.Prohibited)]
    public async Task Program_learns_why_the_far_side_can_not_be_had(FlowFailure failure, CaptureRefusal refusal)
    {
        Opener.Refusal = new FlowRefusal(failure, "no");
        (await Offer(Destination).Refused.Task).ShouldBe(refusal);
    }

    [Fact]
    public async Task Address_of_no_space_is_unreachable()
    {
        (await Offer(new IPEndPoint(IPAddress.Parse("10.97.0.1"), 80)).Refused.Task).ShouldBe(CaptureRefusal.Unreachable);
        Opener.Opens.ShouldBe(0);
    }

    [Fact]
    public async Task Flow_of_a_program_that_has_given_up_is_ended()
    {
        var connection = new FakeTunConnection(Destination) { IsGone = true };
        tun.Connections.Writer.TryWrite(connection);
        await Should.ThrowAsync<OperationCanceledException>(connection.Connected.Task);
        await StopAsync();
        flows.Tcp.Open.ShouldBe(0);
    }

    [Fact]
    public async Task Each_datagram_to_a_closed_port_is_refused()
    {
        Opener.Refusal = new FlowRefusal(FlowFailure.ConnectionRefused, "closed");
        tun.Datagrams.Writer.TryWrite((Client, Destination, [1, 2, 3]));
        (await tun.Answers.Reader.ReadAsync()).ShouldBe("246.255.72.1:4000 10.96.0.10:80 3: Refused");
        tun.Datagrams.Writer.TryWrite((Client, Destination, [4]));
        (await tun.Answers.Reader.ReadAsync()).ShouldBe("246.255.72.1:4000 10.96.0.10:80 1: Refused");
        Opener.Opens.ShouldBe(1);
    }

    [Fact]
    public async Task Ping_is_a_datagram_with_its_sequence_number()
    {
        tun.Echoes.Writer.TryWrite(new TunEcho(Client.Address, Destination.Address, 77, 258, new byte[] { 5, 6 }));
        var flow = await Opener.OpenedDatagrams.Task;
        Opener.Target.ShouldBe(new FlowTarget(TransportProtocol.Icmp, "10.96.0.10", 0));
        (await flow.Sent.Reader.ReadAsync()).ShouldBe([1, 2, 5, 6]);
        flow.Answers.Writer.TryWrite([1, 2, 5, 6]);
        (await tun.Answers.Reader.ReadAsync()).ShouldBe("246.255.72.1 10.96.0.10 77 258: 0506");
    }

    [Fact]
    public async Task Ping_without_an_answer_is_unreachable()
    {
        Opener.Refusal = new FlowRefusal(FlowFailure.Unreachable, "a ClusterIP");
        tun.Echoes.Writer.TryWrite(new TunEcho(Client.Address, Destination.Address, 77, 258, default));
        (await tun.Answers.Reader.ReadAsync()).ShouldBe("246.255.72.1 10.96.0.10 77 258: Unreachable");
    }

    [Fact]
    public async Task Lost_device_ends_the_flows_and_no_more()
    {
        tun.Datagrams.Writer.TryWrite((Client, Destination, [1]));
        await Opener.OpenedDatagrams.Task;
        tun.Lose();
        await running;
    }

    private FakeTunConnection Offer(IPEndPoint destination)
    {
        var connection = new FakeTunConnection(destination);
        tun.Connections.Writer.TryWrite(connection);
        return connection;
    }
}
