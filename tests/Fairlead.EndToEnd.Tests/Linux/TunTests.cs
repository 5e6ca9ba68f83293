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

    [Fact]
    public async Task Scan_shows_which_ports_are_open()
    {
        await using var tun = new TunNamespace(judge: destination => destination.Port is 80 or 443 ? null : CaptureRefusal.Refused);
        var open = new List<int>();
        for (var port = 1; port <= 500; port++)
        {
            if (await ConnectAsync(tun, "10.96.0.10", port) is not SocketError.ConnectionRefused and var result)
            {
                result.ShouldBe(SocketError.Success);
                open.Add(port);
            }
        }

        open.ShouldBe([80, 443]);
    }

    [Fact]
    public async Task Reset_of_either_end_reaches_the_other()
    {
        var reset = new TaskCompletionSource<SocketError>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var tun = new TunNamespace(serve: async (connection, socket) =>
        {
            await socket.ReceiveAsync(new byte[1]);
            if (connection.Destination.Port == 80)
            {
                socket.LingerState = new LingerOption(true, 0);
                return;
            }

            await socket.SendAsync(new byte[] { 42 });
            var failure = await Should.ThrowAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[1]));
            reset.SetResult(failure.SocketErrorCode);
        });
        using var first = tun.Tcp();
        await first.ConnectAsync(TunNamespace.Service, 80, Cancel);
        await first.SendAsync(new byte[] { 1 }, Cancel);
        (await Should.ThrowAsync<SocketException>(async () => await first.ReceiveAsync(new byte[1], Cancel))).SocketErrorCode.ShouldBe(SocketError.ConnectionReset);

        // A reset before the far side has the connection would be one that was never made.
        var second = tun.Tcp();
        await second.ConnectAsync(TunNamespace.Service, 81, Cancel);
        await second.SendAsync(new byte[] { 1 }, Cancel);
        (await second.ReceiveAsync(new byte[1], Cancel)).ShouldBe(1);
        second.LingerState = new LingerOption(true, 0);
        second.Dispose();
        (await reset.Task.WaitAsync(Cancel)).ShouldBe(SocketError.ConnectionReset);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-R")]
    public async Task Iperf_runs_through_the_device(string direction)
    {
        TunNamespace? relaying = null;
        await using var tun = new TunNamespace(serve: (connection, socket) => RelayAsync(relaying!, socket, connection.Destination.Port));
        relaying = tun;
        using var server = tun.Start("iperf3", "-s", "-1", "-p", "5201", "--forceflush");
        while (await server.StandardOutput.ReadLineAsync(Cancel) is { } line && !line.Contains("Server listening"))
        {
        }

        using var client = tun.Start("iperf3", [.. new[] { "-J", "-c", "10.96.0.10", "-p", "5201", "-t", "1", direction }.Where(argument => argument.Length > 0)]);
        using var result = System.Text.Json.JsonDocument.Parse(await client.StandardOutput.ReadToEndAsync(Cancel));
        result.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64().ShouldBeGreaterThan(1_000_000);
        await server.WaitForExitAsync(Cancel);
    }

    [Fact]
    public async Task Curl_gets_its_page()
    {
        await using var tun = new TunNamespace(serve: async (_, socket) =>
        {
            await socket.ReceiveAsync(new byte[4096]);
            await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"u8.ToArray());
            socket.Shutdown(SocketShutdown.Send);
        });
        tun.Inside.Run("curl", "-sS", "--max-time", "20", "http://10.96.0.10/").ShouldBe("hello");
        tun.Inside.Run("curl", "-sS", "--max-time", "20", "http://[fd96::10]/").ShouldBe("hello");
    }

    /// <summary>To the namespace's loopback.</summary>
    private static async Task RelayAsync(TunNamespace tun, Socket socket, int port)
    {
        using var far = tun.Tcp();
        await far.ConnectAsync(IPAddress.Loopback, port, Cancel);
        await Task.WhenAll(CopyAsync(socket, far), CopyAsync(far, socket));
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        try
        {
            var buffer = new byte[128 * 1024];
            int count;
            while ((count = await from.ReceiveAsync(buffer, Cancel)) > 0)
            {
                for (var rest = buffer.AsMemory(0, count); !rest.IsEmpty;)
                {
                    rest = rest[await to.SendAsync(rest, Cancel)..];
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch
        {
            // The other direction must not wait for an end that never comes.
            from.Dispose();
            to.Dispose();
            throw;
        }
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
