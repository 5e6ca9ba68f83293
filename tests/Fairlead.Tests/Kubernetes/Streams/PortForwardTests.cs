using System.Text;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Streams;

public sealed class PortForwardTests
{
    [Fact]
    public async Task Ports_have_their_own_bytes_both_ways()
    {
        var received = new List<(byte, string)?>();
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await PrefixesAsync(kubelet, 8080, 443);
            received.Add(await kubelet.ReceiveAsync());
            received.Add(await kubelet.ReceiveAsync());
            await kubelet.SendAsync(2, "from 443");
            await kubelet.SendAsync(0, "from 8080");
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.PortForwardAsync("shop", "pod-1", [8080, 443]);
        await session.Ports[1].Stream.WriteAsync("to 443"u8.ToArray());
        await session.Ports[0].Stream.WriteAsync("to 8080"u8.ToArray());

        session.Ports.Select(p => p.Port).ShouldBe([8080, 443]);
        (await MockKubelet.ReadToEndAsync(session.Ports[0].Stream)).ShouldBe("from 8080");
        (await MockKubelet.ReadToEndAsync(session.Ports[1].Stream)).ShouldBe("from 443");
        received.ShouldBe([((byte)2, "to 443"), ((byte)0, "to 8080")]);
        api.Requests.Single().Query.ShouldBe("?ports=8080&ports=443");
    }

    [Fact]
    public async Task Prefix_split_over_frames_and_followed_by_bytes_is_understood()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync([0, 0x90]);
            await kubelet.SendAsync([0, 0x1f, (byte)'h', (byte)'i']);
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.PortForwardAsync("shop", "p", [8080]);

        (await MockKubelet.ReadToEndAsync(session.Ports[0].Stream)).ShouldBe("hi");
    }

    [Fact]
    public async Task Port_where_nobody_listens_fails_with_the_nodes_words_after_the_last_byte()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await PrefixesAsync(kubelet, 8080);
            await kubelet.SendAsync(0, "last");
            await kubelet.SendAsync(1, "error forwarding port 8080: connection refused\n");
            await kubelet.CloseAsync();
        });
        using var client = api.Client();
        await using var session = await client.PortForwardAsync("shop", "p", [8080]);
        var buffer = new byte[4];

        await session.Ports[0].Stream.ReadExactlyAsync(buffer);

        Encoding.ASCII.GetString(buffer).ShouldBe("last");
        (await Should.ThrowAsync<IOException>(async () => await session.Ports[0].Stream.ReadExactlyAsync(buffer))).Message.ShouldBe("error forwarding port 8080: connection refused");
    }

    [Theory]
    [InlineData(new byte[] { 0, 1, 1 })]
    [InlineData(new byte[] { 7, 1, 1 })]
    public async Task Frames_that_fit_no_port_end_the_session(byte[] frame)
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(frame);
            await kubelet.ReceiveAsync();
        });
        using var client = api.Client();
        await using var session = await client.PortForwardAsync("shop", "p", [8080]);

        var e = await Should.ThrowAsync<IOException>(async () => await session.Ports[0].Stream.ReadExactlyAsync(new byte[1]));

        e.InnerException.ShouldBeOfType<KubernetesException>().Reason.ShouldBe(KubernetesException.Malformed);
    }

    [Fact]
    public async Task Many_bytes_arrive_whole_and_in_order_though_the_reader_is_slow_to_start()
    {
        var payload = new byte[3_000_000];
        new Random(1).NextBytes(payload);
        var sent = new TaskCompletionSource();
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await PrefixesAsync(kubelet, 8080);
            foreach (var part in payload.Chunk(20_000))
            {
                await kubelet.SendAsync([0, .. part]);
            }

            sent.SetResult();
            await kubelet.CloseAsync();
        });
        using var client = api.Client();
        await using var session = await client.PortForwardAsync("shop", "p", [8080]);
        var received = new MemoryStream();

        await session.Ports[0].Stream.CopyToAsync(received);

        received.ToArray().ShouldBe(payload);
        sent.Task.IsCompleted.ShouldBeTrue();
    }

    [Fact]
    public async Task Session_that_nobody_reads_can_still_be_disposed()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await PrefixesAsync(kubelet, 8080);
            for (var i = 0; i < 40; i++)
            {
                await kubelet.SendAsync([0, .. new byte[16_000]]);
            }

            await kubelet.ReceiveAsync();
        });
        using var client = api.Client();

        var session = await client.PortForwardAsync("shop", "p", [8080]);
        await session.Ports[0].Stream.ReadExactlyAsync(new byte[1]);

        await session.DisposeAsync();
    }

    [Fact]
    public async Task Ports_are_at_least_one_and_as_many_as_channels_allow()
    {
        using var client = new KubernetesClient(new ClusterConnection(new Uri("http://127.0.0.1:1")));

        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => client.PortForwardAsync("shop", "p", []));
        await Should.ThrowAsync<ArgumentOutOfRangeException>(() => client.PortForwardAsync("shop", "p", Enumerable.Range(1, 128).ToList()));
    }

    private static async Task PrefixesAsync(MockKubelet kubelet, params int[] ports)
    {
        for (var i = 0; i < ports.Length; i++)
        {
            await kubelet.SendAsync([(byte)(2 * i), (byte)ports[i], (byte)(ports[i] >> 8)]);
            await kubelet.SendAsync([(byte)((2 * i) + 1), (byte)ports[i], (byte)(ports[i] >> 8)]);
        }
    }
}
