using System.Text;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Streams;

public sealed class ConnectPodTests
{
    private const uint Errors = 1, Data = 3;
    private const ushort SynReply = 2, RstStream = 3, Settings = 4, Ping = 6, GoAway = 7;

    [Fact]
    public async Task Two_streams_are_opened_and_bytes_go_both_ways()
    {
        var opened = new List<(uint, bool, string)>();
        string? received = null;
        await using var api = await MockSpdyNode.StartAsync(async node =>
        {
            opened.Add(await node.ReceiveOpenAsync());
            opened.Add(await node.ReceiveOpenAsync());
            await node.SendControlAsync(SynReply, 0, 0, 0, 1, 1, 2, 3);
            await node.SendControlAsync(Settings, 0, 0, 0, 0);
            var (word, _, payload) = await node.ReceiveAsync();
            received = $"{word} {Encoding.ASCII.GetString(payload)}";
            await node.SendDataAsync(Data, "wel");
            await node.SendDataAsync(Data, "come", fin: true);
            await node.SendDataAsync(Errors, [], fin: true);
        });
        using var client = api.Client();

        await using var stream = await client.ConnectPodAsync("fairlead", "gateway-1", 8443);
        await stream.WriteAsync("hello"u8.ToArray());

        (await MockKubelet.ReadToEndAsync(stream)).ShouldBe("welcome");
        received.ShouldBe("3 hello");
        opened.ShouldBe([(Errors, true, "streamtype=error port=8443 requestid=0"), (Data, false, "streamtype=data port=8443 requestid=0")]);
        var request = api.Requests.Single();
        (request.Method, request.Path, request.Query).ShouldBe(("POST", "/api/v1/namespaces/fairlead/pods/gateway-1/portforward", ""));
    }

    [Fact]
    public async Task Many_bytes_arrive_whole_and_in_order_both_ways()
    {
        var payload = new byte[3_000_000];
        new Random(1).NextBytes(payload);
        var echoed = new MemoryStream();
        await using var api = await MockSpdyNode.StartAsync(async node =>
        {
            await node.ReceiveOpensAsync();
            while (echoed.Length < payload.Length)
            {
                var (_, _, part) = await node.ReceiveAsync();
                echoed.Write(part);
                await node.SendDataAsync(Data, part);
            }

            await node.SendDataAsync(Errors, [], fin: true);
            await node.SendDataAsync(Data, [], fin: true);
        });
        using var client = api.Client();
        await using var stream = await client.ConnectPodAsync("shop", "p", 8080);
        var back = new MemoryStream();

        await Task.WhenAll(stream.WriteAsync(payload).AsTask(), stream.CopyToAsync(back));

        back.ToArray().ShouldBe(payload);
    }

    [Fact]
    public async Task Port_where_nobody_listens_fails_with_the_nodes_words()
    {
        await using var api = await MockSpdyNode.StartAsync(async node =>
        {
            await node.ReceiveOpensAsync();
            await node.SendDataAsync(Data, [], fin: true);
            await node.SendDataAsync(Errors, "error forwarding port 8080: ");
            await node.SendDataAsync(Errors, "connection refused\n", fin: true);
            await node.ReceiveAsync();
        });
        using var client = api.Client();
        await using var stream = await client.ConnectPodAsync("shop", "p", 8080);

        (await Should.ThrowAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1]).AsTask())).Message.ShouldBe("error forwarding port 8080: connection refused");
    }

    [Fact]
    public async Task Ping_of_the_node_is_answered()
    {
        (uint, byte, byte[])? pong = null;
        await using var api = await MockSpdyNode.StartAsync(async node =>
        {
            await node.ReceiveOpensAsync();
            await node.SendControlAsync(Ping, 0, 0, 0, 2);
            pong = await node.ReceiveAsync();
            await node.SendDataAsync(Errors, [], fin: true);
            await node.SendDataAsync(Data, [], fin: true);
        });
        using var client = api.Client();
        await using var stream = await client.ConnectPodAsync("shop", "p", 8080);

        (await stream.ReadAsync(new byte[1])).ShouldBe(0);

        pong!.Value.Item1.ShouldBe(0x8003_0006);
        pong.Value.Item3.ShouldBe([0, 0, 0, 2]);
    }

    [Theory]
    [InlineData(0x8003_0000 | RstStream, 8, "status 0")]
    [InlineData(0x8003_0000 | GoAway, 8, "goes away")]
    [InlineData(0x8003_0000 | Ping, 5, "makes no sense")]
    [InlineData(0x8002_0000 | Ping, 4, "makes no sense")]
    [InlineData(0x8003_0063, 0, "makes no sense")]
    [InlineData(0x8003_0000 | Settings, 70_000, "70000 bytes")]
    [InlineData(5, 1, "stream 5")]
    public async Task Frames_that_end_it_or_make_no_sense_are_a_failure(uint word, int length, string says)
    {
        await using var api = await MockSpdyNode.StartAsync(async node =>
        {
            await node.ReceiveOpensAsync();
            await node.SendAsync(word, 0, new byte[length]);
            await node.ReceiveAsync();
        });
        using var client = api.Client();
        await using var stream = await client.ConnectPodAsync("shop", "p", 8080);

        (await Should.ThrowAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1]).AsTask())).Message.ShouldContain(says);
    }

    [Fact]
    public async Task Connection_that_breaks_off_is_no_end()
    {
        await using var api = await MockSpdyNode.StartAsync(node => node.ReceiveOpensAsync());
        using var client = api.Client();
        await using var stream = await client.ConnectPodAsync("shop", "p", 8080);

        (await Should.ThrowAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1]).AsTask())).Message.ShouldContain("broke off");
    }

    [Fact]
    public async Task Server_that_knows_only_WebSockets_is_asked_for_one_and_from_then_on_at_once()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync([0, 0x90, 0x1f]);
            await kubelet.SendAsync([1, 0x90, 0x1f]);
            await kubelet.SendAsync(0, "hi");
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        for (var i = 0; i < 2; i++)
        {
            await using var stream = await client.ConnectPodAsync("shop", "p", 8080);
            (await MockKubelet.ReadToEndAsync(stream)).ShouldBe("hi");
        }

        api.Requests.Select(r => r.Method).ShouldBe(["POST", "GET", "GET"]);
    }

    [Fact]
    public async Task Server_that_refused_SPDY_is_asked_for_it_again_later()
    {
        await using var api = await MockKubelet.StartAsync(kubelet => kubelet.CloseAsync());
        var time = new ManualTime();
        using var client = api.Client(time);

        await (await client.ConnectPodAsync("shop", "p", 8080)).DisposeAsync();
        time.Advance(TimeSpan.FromMinutes(9));
        await (await client.ConnectPodAsync("shop", "p", 8080)).DisposeAsync();
        time.Advance(TimeSpan.FromMinutes(2));
        await (await client.ConnectPodAsync("shop", "p", 8080)).DisposeAsync();

        api.Requests.Select(r => r.Method).ShouldBe(["POST", "GET", "GET", "POST", "GET"]);
    }

    [Theory]
    [InlineData(409)]
    [InlineData(422)]
    public async Task Refusal_that_says_nothing_of_the_upgrade_leaves_the_next_to_SPDY(int status)
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, status, "Conflict"));
        using var client = api.Client();

        for (var i = 0; i < 2; i++)
        {
            await Should.ThrowAsync<KubernetesException>(() => client.ConnectPodAsync("shop", "p", 8080));
        }

        api.Requests.Select(r => r.Method).ShouldBe(["POST", "GET", "POST", "GET"]);
    }

    [Fact]
    public async Task Pod_that_is_not_there_is_not_asked_for_twice()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 404, "NotFound"));
        using var client = api.Client();

        (await Should.ThrowAsync<KubernetesException>(() => client.ConnectPodAsync("shop", "p", 8080))).IsNotFound.ShouldBeTrue();

        api.Requests.Count.ShouldBe(1);
    }
}
