using System.Net;
using System.Net.Sockets;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tests.Tunnel.Relay;

public sealed class UdpDatagramSocketTests : IAsyncDisposable
{
    private readonly Socket far = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly UdpDatagramSocket socket;

    public UdpDatagramSocketTests()
    {
        far.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var near = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        near.Connect(far.LocalEndPoint!);
        socket = new UdpDatagramSocket(near);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await socket.DisposeAsync();
        far.Dispose();
    }

    [Theory]
    [InlineData(512, 512, 512, 512)]
    [InlineData(512, 512, 100, 100, 512)]
    [InlineData(100, 512, 512, 0, 0, 512, 512)]
    [InlineData(512, 512, 1400, 1400, 3000, 2)]
    [InlineData(60000, 60000, 512, 512, 65507, 1)]
    public async Task Datagrams_that_are_sent_together_arrive_whole_and_in_order(params int[] sizes)
    {
        foreach (var size in sizes)
        {
            await socket.SendAsync(Numbered(size), Cancel);
            if (size == 60000)
            {
                // Two of them are more than the far side's socket holds.
                await socket.FlushAsync(Cancel);
                (await ReceiveAsync()).ShouldBe(Numbered(size));
            }
        }

        await socket.FlushAsync(Cancel);
        foreach (var size in sizes.Where(size => size != 60000))
        {
            (await ReceiveAsync()).ShouldBe(Numbered(size));
        }

        far.Available.ShouldBe(0);
    }

    [Fact]
    public async Task More_than_one_batch_of_segments_arrives()
    {
        for (var i = 0; i < 100; i++)
        {
            await socket.SendAsync(Numbered(10 + (i / 70)), Cancel);
        }

        await socket.FlushAsync(Cancel);
        for (var i = 0; i < 100; i++)
        {
            (await ReceiveAsync()).Length.ShouldBe(10 + (i / 70));
        }
    }

    private static byte[] Numbered(int size) => [.. Enumerable.Range(size, size).Select(i => (byte)i)];

    private async Task<byte[]> ReceiveAsync()
    {
        var buffer = new byte[65535];
        return buffer[..await far.ReceiveAsync(buffer, Cancel)];
    }
}
