using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>UDP and pings through a TUN device. Needs root.</summary>
public sealed class TunDatagramTests : IAsyncDisposable
{
    private const int UdpProtocol = 17;
    private const int UdpSegment = 103;
    private readonly TunNamespace tun = new();

    public static TheoryData<string> Families => new("10.96.0.10", "fd96::10");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => tun.DisposeAsync();

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Datagrams_of_any_size_arrive_whole_and_are_answered_from_where_they_went(string address)
    {
        var destination = new IPEndPoint(IPAddress.Parse(address), 53);
        using var client = Connected(destination);
        var buffer = new byte[65_507];
        foreach (var length in new[] { 0, 1, 512, 1452, 1472, 1473, 9000, 65_507 })
        {
            var sent = new byte[length];
            Random.Shared.NextBytes(sent);
            await client.SendAsync(sent, Cancel);
            var datagram = await tun.Tun.ReceiveAsync(buffer, Cancel);
            datagram.OriginalDestination.ShouldBe(destination);
            datagram.Client.ShouldBe(client.LocalEndPoint);
            buffer[..datagram.Length].ShouldBe(sent);
            await tun.Tun.SendAsync(datagram.OriginalDestination, datagram.Client, buffer.AsMemory(0, datagram.Length), Cancel);
            var received = new byte[65_507];
            var count = await client.ReceiveAsync(received, Cancel);
            received[..count].ShouldBe(sent);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Refused_datagram_fails_the_program_as_a_closed_port_does(string address)
    {
        using var client = Connected(new IPEndPoint(IPAddress.Parse(address), 53));
        await client.SendAsync(new byte[] { 1, 2, 3 }, Cancel);
        var datagram = await tun.Tun.ReceiveAsync(new byte[100], Cancel);
        tun.Tun.Refuse(datagram.OriginalDestination, datagram.Client, new byte[] { 1, 2, 3 }, CaptureRefusal.Refused);
        (await Should.ThrowAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Cancel))).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    [Fact]
    public async Task Datagrams_that_leave_in_one_packet_arrive_one_by_one()
    {
        using var client = Connected(new IPEndPoint(TunNamespace.Service, 443));
        client.SetRawSocketOption(UdpProtocol, UdpSegment, [232, 3, 0, 0]);
        await client.SendAsync(new byte[2500], Cancel);
        foreach (var length in new[] { 1000, 1000, 500 })
        {
            (await tun.Tun.ReceiveAsync(new byte[65_507], Cancel)).Length.ShouldBe(length);
        }
    }

    [Fact]
    public async Task Datagram_beyond_the_longest_is_refused_here()
    {
        var failure = await Should.ThrowAsync<SocketException>(async () =>
            await tun.Tun.SendAsync(new IPEndPoint(TunNamespace.Service, 53), new IPEndPoint(tun.Tun.Device.Address, 4000), new byte[65_508], Cancel));
        failure.SocketErrorCode.ShouldBe(SocketError.MessageSize);
    }

    [Theory]
    [InlineData("10.96.0.10", "56")]
    [InlineData("10.96.0.10", "20000")]
    [InlineData("fd96::10", "56")]
    [InlineData("fd96::10", "20000")]
    public async Task Ping_is_answered_by_whoever_takes_it(string address, string size)
    {
        using var process = tun.Start("ping", "-n", "-c", "2", "-i", "0.2", "-W", "20", "-s", size, address);
        for (ushort sequence = 1; sequence <= 2; sequence++)
        {
            var echo = await tun.Tun.ReceiveEchoAsync(Cancel);
            (echo.Destination, echo.Sequence, echo.Data.Length).ShouldBe((IPAddress.Parse(address), sequence, int.Parse(size)));
            tun.Tun.Reply(echo, echo.Data.Span);
        }

        (await process.StandardOutput.ReadToEndAsync(Cancel)).ShouldContain(" 0% packet loss");
        await process.WaitForExitAsync(Cancel);
        process.ExitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData("10.96.0.10", "Destination Host Unreachable")]
    [InlineData("fd96::10", "Address unreachable")]
    public async Task Ping_learns_that_there_is_no_answer(string address, string words)
    {
        using var process = tun.Start("ping", "-n", "-c", "1", "-W", "20", address);
        var echo = await tun.Tun.ReceiveEchoAsync(Cancel);
        tun.Tun.Refuse(echo, CaptureRefusal.Unreachable);
        (await process.StandardOutput.ReadToEndAsync(Cancel)).ShouldContain($"icmp_seq=1 Destination unreachable: {words}".Replace("Destination unreachable: Destination", "Destination"));
    }

    private Socket Connected(IPEndPoint destination)
    {
        var client = tun.Udp(destination.AddressFamily);
        client.Connect(destination);
        return client;
    }
}
