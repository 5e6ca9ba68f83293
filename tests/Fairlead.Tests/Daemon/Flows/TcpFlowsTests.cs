using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Platform.Capture;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Daemon.Flows;

public sealed class TcpFlowsTests : FlowsTest
{
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("127.72.1.1"), 80);

    private TcpFlows flows = null!;

    protected override Task RunAsync(CancellationToken cancellationToken)
    {
        flows = new TcpFlows(
            new LoopbackConnections(Capture),
            (destination, protocol) => destination.Equals(Destination) ? Toward("frontend.shop.svc", destination, protocol) : null,
            Time,
            NullLogger<TcpFlows>.Instance);
        return flows.RunAsync(cancellationToken);
    }

    protected override int CountOpen() => flows.Open;

    [Fact]
    public async Task Connection_is_relayed_to_the_service_it_was_for()
    {
        using var client = await ConnectAsync(Destination);
        var flow = await Opener.Opened.Task;
        Opener.Target.ShouldBe(new FlowTarget(TransportProtocol.Tcp, "frontend.shop.svc", 80));
        await client.SendAsync("ping"u8.ToArray());
        (await flow.ReceiveAsync(4)).ShouldBe("ping"u8.ToArray());
        client.Shutdown(SocketShutdown.Send);
        await flow.Completed.Task;
        flow.End();
        (await client.ReceiveAsync(new byte[1])).ShouldBe(0);
    }

    [Fact]
    public async Task Refusal_resets_the_connection()
    {
        Opener.Refusal = new FlowRefusal(FlowFailure.ConnectionRefused, "nothing listens there");
        using var client = await ConnectAsync(Destination);
        (await ResetOfAsync(client)).ShouldBe(SocketError.ConnectionReset);
        flows.Refused.ShouldBe(1);
    }

    [Fact]
    public async Task No_answer_resets_the_connection_at_the_deadline()
    {
        Opener.Hang = true;
        using var client = await ConnectAsync(Destination);
        await Opener.Asked.Task;
        Time.Advance(TcpFlows.OpenTimeout);
        (await ResetOfAsync(client)).ShouldBe(SocketError.ConnectionReset);
    }

    [Fact]
    public async Task Destination_that_is_not_consumed_any_more_is_reset()
    {
        using var client = await ConnectAsync(new IPEndPoint(IPAddress.Parse("127.72.9.9"), 80));
        (await ResetOfAsync(client)).ShouldBe(SocketError.ConnectionReset);
        Opener.Target.ShouldBeNull();
    }

    [Fact]
    public async Task Defect_of_an_opener_resets_only_that_connection()
    {
        Opener.Defect = new InvalidOperationException("defect");
        using (var client = await ConnectAsync(Destination))
        {
            (await ResetOfAsync(client)).ShouldBe(SocketError.ConnectionReset);
        }

        Opener.Defect = null;
        using var next = await ConnectAsync(Destination);
        await Opener.Opened.Task;
    }

    [Fact]
    public async Task Stop_resets_what_is_open()
    {
        using var client = await ConnectAsync(Destination);
        await Opener.Opened.Task;
        await StopAsync();
        (await ResetOfAsync(client)).ShouldBe(SocketError.ConnectionReset);
    }

    [Fact]
    public async Task Outstanding_is_bounded_and_drains()
    {
        var group = new Outstanding(2);
        group.TryEnter().ShouldBeTrue();
        group.TryEnter().ShouldBeTrue();
        group.TryEnter().ShouldBeFalse();
        var closed = group.CloseAsync();
        group.Exit();
        closed.IsCompleted.ShouldBeFalse();
        group.Exit();
        await closed;
    }

    private static async Task<SocketError> ResetOfAsync(Socket client)
    {
        try
        {
            return await client.ReceiveAsync(new byte[1]) == 0 ? SocketError.Success : SocketError.SocketError;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    /// <summary>A real connection, handed over as the capture would.</summary>
    private async Task<Socket> ConnectAsync(IPEndPoint destination)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        await Capture.Connections.Writer.WriteAsync(new CapturedConnection(await listener.AcceptAsync(), destination));
        return client;
    }
}
