using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>TCP through a TUN device, with the kernel's own TCP at both ends. Needs root.</summary>
public sealed class TunTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Families => new("10.96.0.10", "fd96::10");

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Connection_has_its_ends_and_carries_bytes_and_half_close(string address)
    {
        ITunConnection? seen = null;
        await using var tun = new TunNamespace(serve: (connection, socket) =>
        {
            seen = connection;
            return TunNamespace.EchoAsync(socket);
        });
        var destination = new IPEndPoint(IPAddress.Parse(address), 80);
        using var client = tun.Tcp(destination.AddressFamily);
        await client.ConnectAsync(destination, Cancel);
        client.RemoteEndPoint.ShouldBe(destination);
        var sent = new byte[3_000_000];
        Random.Shared.NextBytes(sent);
        var sending = SendAllAsync(client, sent);
        var received = await ReceiveAllAsync(client);
        await sending;
        received.ShouldBe(sent);
        seen!.Destination.ShouldBe(destination);
        seen.Client.ShouldBe(client.LocalEndPoint);
        tun.Dials[destination].ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Refusals_are_what_they_are_at_the_far_side(string address)
    {
        await using var tun = new TunNamespace();
        (await ConnectAsync(tun, address, TunNamespace.Refused)).ShouldBe(SocketError.ConnectionRefused);
        (await ConnectAsync(tun, address, TunNamespace.Unreachable)).ShouldBe(SocketError.HostUnreachable);
        (await ConnectAsync(tun, address, TunNamespace.Prohibited)).ShouldBe(address.Contains(':') ? SocketError.AccessDenied : SocketError.HostUnreachable);
        (await ConnectAsync(tun, address, 80)).ShouldBe(SocketError.Success);
    }

    [Fact]
    public async Task Filtered_port_is_silent_and_dialled_again_by_each_repeated_syn()
    {
        await using var tun = new TunNamespace();
        var destination = new IPEndPoint(TunNamespace.Service, TunNamespace.Filtered);
        using var client = tun.Tcp();
        var connecting = client.ConnectAsync(destination, Cancel).AsTask();
        await WaitAsync(() => tun.Dials.GetValueOrDefault(destination) >= 2);
        connecting.IsCompleted.ShouldBeFalse();
        client.Dispose();
        await Should.ThrowAsync<SocketException>(connecting);
    }

    private static async Task<SocketError> ConnectAsync(TunNamespace tun, string address, int port)
    {
        var destination = new IPEndPoint(IPAddress.Parse(address), port);
        using var client = tun.Tcp(destination.AddressFamily);
        try
        {
            await client.ConnectAsync(destination, Cancel);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private static async Task SendAllAsync(Socket socket, byte[] bytes)
    {
        for (var rest = bytes.AsMemory(); !rest.IsEmpty;)
        {
            rest = rest[await socket.SendAsync(rest, Cancel)..];
        }

        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task<byte[]> ReceiveAllAsync(Socket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await socket.ReceiveAsync(buffer, Cancel)) > 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(20, Cancel);
        }
    }
}
