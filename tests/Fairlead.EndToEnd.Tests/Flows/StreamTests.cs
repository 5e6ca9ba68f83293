using System.Net.Sockets;
using System.Security.Cryptography;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Flows;

/// <summary>A TCP connection is one all the way to the pod and back: its ends, its resets and its back-pressure, by every carrier.</summary>
public sealed class StreamTests(Lab lab) : LabTest(lab)
{
    private const int Mebibyte = 1 << 20;

    /// <summary>Far more than fits on the way, so that a sender must wait for a reader that doesn't read.</summary>
    private const int Large = 200 * Mebibyte;

    /// <summary>
    /// What the kernel's buffers on the way hold at most (both ends of three TCP connections, tcp(7)), with room for what programs have in
    /// hand. What a sender got rid of beyond this would be piling up in some program's memory.
    /// </summary>
    private static readonly int MostOnTheWay = Math.Min(3 * (LargestBuffer("tcp_rmem") + LargestBuffer("tcp_wmem")) + (16 * Mebibyte), Large * 3 / 4);

    private static readonly TimeSpan Standstill = TimeSpan.FromMilliseconds(500);

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Client_that_ends_its_side_still_gets_the_whole_answer(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = await Lab.ConnectAsync(laptop, $"answer {Name} {8 * Mebibyte}");
        var question = RandomNumberGenerator.GetBytes(3 * Mebibyte);
        await SendAsync(client, question);
        client.Shutdown(SocketShutdown.Send);

        (await ReadAsync(client, 64)).ShouldBe(System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(question))));
        var (length, hash) = await ReadToEndAsync(client);
        (await Lab.ReportAsync(laptop, Name)).ShouldBe(new FarReport("sent", length, hash));
        length.ShouldBe(8 * Mebibyte);
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Server_that_ends_its_side_first_still_gets_everything(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = await Lab.ConnectAsync(laptop, $"farewell {Name}");
        (await ReadAsync(client, 3)).ShouldBe("bye"u8.ToArray());
        (await client.ReceiveAsync(new byte[1], Limit.Token)).ShouldBe(0);

        var rest = RandomNumberGenerator.GetBytes(5 * Mebibyte);
        await SendAsync(client, rest);
        client.Shutdown(SocketShutdown.Send);
        await ReportsAsync(laptop, new FarReport("end", rest.Length, Convert.ToHexStringLower(SHA256.HashData(rest))));
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Reset_by_the_server_is_a_reset_at_the_client(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = await Lab.ConnectAsync(laptop, "reset");
        (await ReadAsync(client, 5)).ShouldBe("ready"u8.ToArray());
        await client.SendAsync(new byte[1], Limit.Token);
        var failure = await Should.ThrowAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Limit.Token));
        failure.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Reset_by_the_client_is_a_reset_at_the_server(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        var client = await Lab.ConnectAsync(laptop, $"take {Name}");
        (await ReadAsync(client, 5)).ShouldBe("ready"u8.ToArray());
        await client.SendAsync(new byte[1000], Limit.Token);
        await Shell.EventuallyAsync("the bytes are there", async () => (await Lab.ReportAsync(laptop, Name)).Bytes == 1000);
        client.LingerState = new LingerOption(true, 0);
        client.Dispose();
        await Shell.EventuallyAsync("the server sees a reset, not an end", async () => (await Lab.ReportAsync(laptop, Name)) is { State: "reset", Bytes: 1000 });
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Server_that_does_not_read_makes_the_client_wait_and_loses_nothing(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = await Lab.ConnectAsync(laptop, $"hold {Name}");
        (await ReadAsync(client, 5)).ShouldBe("ready"u8.ToArray());
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var chunk = RandomNumberGenerator.GetBytes(Mebibyte);
        var sent = 0;
        for (var released = false; sent < Large; sent += chunk.Length)
        {
            hash.AppendData(chunk);
            var sending = SendAsync(client, chunk);
            if (!released && await Task.WhenAny(sending, Task.Delay(Standstill)) != sending)
            {
                sent.ShouldBeLessThan(MostOnTheWay);
                await OthersGoOnAsync(laptop);
                await Lab.ReleaseAsync(laptop, Name);
                released = true;
            }

            await sending;
        }

        client.Shutdown(SocketShutdown.Send);
        await ReportsAsync(laptop, new FarReport("end", Large, Convert.ToHexStringLower(hash.GetHashAndReset())));
    }

    [Theory]
    [InlineData(Way.Direct)]
    [InlineData(Way.WebSocket)]
    [InlineData(Way.PortForward)]
    public async Task Client_that_does_not_read_makes_the_server_wait_and_loses_nothing(Way way)
    {
        var laptop = await Lab.LaptopAsync(way);
        using var client = await Lab.ConnectAsync(laptop, $"flood {Name} {Large}");
        var before = -1L;
        await Shell.EventuallyAsync("the server is at a standstill", async () =>
        {
            await Task.Delay(Standstill);
            var now = (await Lab.ReportAsync(laptop, Name)).Bytes;
            (before, var same) = (now, now > 0 && now == before);
            return same;
        });
        before.ShouldBeLessThan(MostOnTheWay);
        await OthersGoOnAsync(laptop);

        var (length, hash) = await ReadToEndAsync(client);
        length.ShouldBe(Large);
        (await Lab.ReportAsync(laptop, Name)).ShouldBe(new FarReport("sent", Large, hash));
    }

    private async Task ReportsAsync(Laptop laptop, FarReport expected)
    {
        await Shell.EventuallyAsync("the server is done", async () => (await Lab.ReportAsync(laptop, Name)).State is "end" or "reset");
        (await Lab.ReportAsync(laptop, Name)).ShouldBe(expected);
    }

    private static async Task OthersGoOnAsync(Laptop laptop) => (await laptop.CurlAsync("http://frontend.shop/")).ShouldSucceed();

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, Limit.Token)..];
        }
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int length)
    {
        var bytes = new byte[length];
        for (var have = 0; have < length;)
        {
            var count = await socket.ReceiveAsync(bytes.AsMemory(have), Limit.Token);
            have += count > 0 ? count : throw new EndOfStreamException($"{have} of {length} bytes came");
        }

        return bytes;
    }

    private static async Task<(long Length, string Sha256)> ReadToEndAsync(Socket socket)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[Mebibyte];
        var length = 0L;
        for (int count; (count = await socket.ReceiveAsync(buffer, Limit.Token)) > 0; length += count)
        {
            hash.AppendData(buffer, 0, count);
        }

        return (length, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    /// <summary>The last of the three numbers.</summary>
    private static int LargestBuffer(string parameter) => int.Parse(File.ReadAllText("/proc/sys/net/ipv4/" + parameter).Split('\t')[2]);
}
