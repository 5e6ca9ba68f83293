using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Run;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Daemon.Run;

public sealed class HostOpenerTests
{
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    private readonly HostOpener opener = new();

    [Fact]
    public async Task Connection_carries_both_ways_and_half_closes()
    {
        using var server = Listen();
        var opening = await opener.OpenAsync(Target(server, TransportProtocol.Tcp), null, Patience);
        await using var flow = opening.Flow.ShouldNotBeNull();
        using var accepted = await server.AcceptAsync(Patience);

        await flow.WriteAsync("question"u8.ToArray(), Patience);
        await flow.CompleteWritesAsync(Patience);
        var buffer = new byte[100];
        (await accepted.ReceiveAsync(buffer, Patience)).ShouldBe(8);
        (await accepted.ReceiveAsync(buffer, Patience)).ShouldBe(0);
        await accepted.SendAsync("answer"u8.ToArray(), Patience);
        accepted.Shutdown(SocketShutdown.Send);
        (await flow.ReadAsync(buffer, Patience)).ShouldBe(6);
        (await flow.ReadAsync(buffer, Patience)).ShouldBe(0);
    }

    [Fact]
    public async Task Reset_by_the_far_side_is_an_abort_and_an_abort_is_a_reset()
    {
        using var server = Listen();
        var first = (await opener.OpenAsync(Target(server, TransportProtocol.Tcp), null, Patience)).Flow.ShouldNotBeNull();
        var accepted = await server.AcceptAsync(Patience);
        accepted.LingerState = new LingerOption(true, 0);
        accepted.Dispose();
        (await Should.ThrowAsync<FlowAbortedException>(async () => await first.ReadAsync(new byte[1], Patience))).Failure.ShouldBe(FlowFailure.Reset);
        await first.DisposeAsync();

        var second = (await opener.OpenAsync(Target(server, TransportProtocol.Tcp), null, Patience)).Flow.ShouldNotBeNull();
        using var other = await server.AcceptAsync(Patience);
        await second.DisposeAsync();
        (await Should.ThrowAsync<SocketException>(async () => await other.ReceiveAsync(new byte[1], Patience))).SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
    }

    [Fact]
    public async Task Closed_port_is_refused()
    {
        FlowTarget closed;
        using (var server = Listen())
        {
            closed = Target(server, TransportProtocol.Tcp);
        }

        (await opener.OpenAsync(closed, null, Patience)).Refusal.ShouldNotBeNull().Failure.ShouldBe(FlowFailure.ConnectionRefused);
        await using var datagrams = (await opener.OpenDatagramsAsync(closed with { Protocol = TransportProtocol.Udp }, Patience)).Flow.ShouldNotBeNull();
        await datagrams.SendAsync(new byte[1], Patience);
        (await Should.ThrowAsync<FlowAbortedException>(async () => await datagrams.ReceiveAsync(new byte[10], Patience))).Failure.ShouldBe(FlowFailure.ConnectionRefused);
    }

    [Fact]
    public async Task Datagrams_keep_their_borders()
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var flow = (await opener.OpenDatagramsAsync(Target(server, TransportProtocol.Udp), Patience)).Flow.ShouldNotBeNull();
        var buffer = new byte[65_507];

        await flow.SendAsync("one"u8.ToArray(), Patience);
        await flow.SendAsync(ReadOnlyMemory<byte>.Empty, Patience);
        var received = await server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), Patience);
        received.ReceivedBytes.ShouldBe(3);
        (await server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), Patience)).ReceivedBytes.ShouldBe(0);
        await server.SendToAsync(new byte[65_507], received.RemoteEndPoint, Patience);
        (await flow.ReceiveAsync(buffer, Patience)).ShouldBe(65_507);
    }

    private static Socket Listen()
    {
        var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        server.Listen();
        return server;
    }

    private static FlowTarget Target(Socket server, TransportProtocol protocol) => new(protocol, "127.0.0.1", ((IPEndPoint)server.LocalEndPoint!).Port);
}
