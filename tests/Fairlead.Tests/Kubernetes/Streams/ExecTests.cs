using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Streams;

public sealed class ExecTests
{
    private const string Success = """{"metadata":{},"status":"Success"}""";

    [Fact]
    public async Task Command_gives_its_output_and_exit_code()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync([1]);
            await kubelet.SendAsync(1, "out ");
            await kubelet.SendAsync(2, "err");
            await kubelet.SendAsync(1, "put");
            await kubelet.SendAsync(3, """{"metadata":{},"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with exit code 7","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}""");
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.ExecAsync("shop", "pod-1", new ExecOptions(["sh", "-c", "echo a&b"], Container: "app"));

        (await MockKubelet.ReadToEndAsync(session.Stdout)).ShouldBe("out put");
        (await MockKubelet.ReadToEndAsync(session.Stderr)).ShouldBe("err");
        (await session.ExitCode).ShouldBe(7);
        var request = api.Requests.Single();
        request.Path.ShouldBe("/api/v1/namespaces/shop/pods/pod-1/exec");
        request.Query.ShouldBe("?stdin=false&stdout=true&stderr=true&tty=false&container=app&command=sh&command=-c&command=echo%20a%26b");
    }

    [Fact]
    public async Task Input_goes_out_in_frames_and_its_end_where_the_server_can_tell_it()
    {
        var received = new List<(byte Channel, string Text)?>();
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            for (var i = 0; i < 5; i++)
            {
                received.Add(await kubelet.ReceiveAsync());
            }

            await kubelet.SendAsync(3, Success);
            await kubelet.CloseAsync();
        }, protocol: "v5.channel.k8s.io");
        using var client = api.Client();
        var large = new string('x', 40_000);

        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["cat"], Stdin: true, Tty: true));
        await session.Stdin.WriteAsync("hello"u8.ToArray());
        await session.ResizeAsync(120, 40);
        await session.Stdin.WriteAsync(Encoding.ASCII.GetBytes(large));
        await session.CloseStdinAsync();

        (await session.ExitCode).ShouldBe(0);
        received[0].ShouldBe(((byte)0, "hello"));
        received[1].ShouldBe(((byte)4, """{"Width":120,"Height":40}"""));
        (received[2]!.Value.Text + received[3]!.Value.Text).ShouldBe(large);
        received[4].ShouldBe(((byte)255, "\0"));
        session.Stderr.CanRead.ShouldBeFalse();
        api.Requests.Single().Query.ShouldContain("stderr=false&tty=true");
    }

    [Fact]
    public async Task End_of_input_on_an_older_server_is_refused_not_ignored()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet => await kubelet.ReceiveAsync());
        using var client = api.Client();
        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["cat"], Stdin: true));

        await Should.ThrowAsync<NotSupportedException>(async () => await session.CloseStdinAsync());
    }

    [Fact]
    public async Task Message_in_several_frames_is_one_channels()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(1, "one ", end: false);
            await kubelet.SendAsync("two"u8.ToArray());
            await kubelet.SendAsync(3, Success[..10], end: false);
            await kubelet.SendAsync(Encoding.UTF8.GetBytes(Success[10..]));
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["x"]));

        (await MockKubelet.ReadToEndAsync(session.Stdout)).ShouldBe("one two");
        (await session.ExitCode).ShouldBe(0);
    }

    [Fact]
    public async Task Command_that_cannot_start_fails_with_the_nodes_words()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(3, MockApi.Status(500, "InternalError", "no such file nonsense"));
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["nonsense"]));

        (await Should.ThrowAsync<KubernetesException>(() => session.ExitCode)).Message.ShouldContain("no such file nonsense");
    }

    [Fact]
    public async Task Output_received_before_the_connection_broke_is_not_lost()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(1, "some");
            await kubelet.ReceiveAsync();
            kubelet.Abort();
        });
        using var client = api.Client();
        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["x"], Stdin: true));
        var buffer = new byte[100];

        (await session.Stdout.ReadAsync(buffer)).ShouldBe(4);
        await session.Stdin.WriteAsync("go"u8.ToArray());

        await Should.ThrowAsync<IOException>(async () => await session.Stdout.ReadExactlyAsync(buffer));
        (await Should.ThrowAsync<KubernetesException>(() => session.ExitCode)).Reason.ShouldBe(KubernetesException.Unreachable);
    }

    [Theory]
    [InlineData(9, "x")]
    [InlineData(2, "stderr that was not asked for")]
    public async Task Bytes_on_a_channel_that_was_not_asked_for_end_the_session(byte channel, string text)
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(channel, text);
            await kubelet.CloseAsync();
        });
        using var client = api.Client();

        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["x"], Stderr: false));

        (await Should.ThrowAsync<KubernetesException>(() => session.ExitCode)).Reason.ShouldBe(KubernetesException.Malformed);
    }

    [Fact]
    public async Task Status_that_is_garbage_or_missing_is_no_exit_code()
    {
        var status = "{";
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(3, status);
            await kubelet.CloseAsync(WebSocketCloseStatus.NormalClosure);
        });
        using var client = api.Client();

        await using var garbage = await client.ExecAsync("shop", "p", new ExecOptions(["x"]));
        (await Should.ThrowAsync<KubernetesException>(() => garbage.ExitCode)).Reason.ShouldBe(KubernetesException.Malformed);
        status = "";
        await using var missing = await client.ExecAsync("shop", "p", new ExecOptions(["x"]));
        (await Should.ThrowAsync<KubernetesException>(() => missing.ExitCode)).Reason.ShouldBe(KubernetesException.Unreachable);
    }

    [Fact]
    public async Task Refusal_keeps_the_servers_status()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 403, "Forbidden", "alice may not exec"));
        using var client = api.Client();

        var e = await Should.ThrowAsync<KubernetesException>(() => client.ExecAsync("shop", "p", new ExecOptions(["x"])));

        (e.Code, e.Reason).ShouldBe((403, "Forbidden"));
        e.Message.ShouldContain("alice may not exec");
    }

    [Fact]
    public async Task Nobody_listening_is_unreachable()
    {
        using var client = new KubernetesClient(new ClusterConnection(new Uri("http://127.0.0.1:1")));

        (await Should.ThrowAsync<KubernetesException>(() => client.ExecAsync("shop", "p", new ExecOptions(["x"])))).Reason.ShouldBe(KubernetesException.Unreachable);
    }

    [Fact]
    public async Task Upgrade_uses_the_connections_tls_and_credentials()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync(3, Success);
            await kubelet.CloseAsync();
        }, tls: true);
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPem(TestCertificates.Instance.AuthorityPem);
        using var client = new KubernetesClient(new ClusterConnection(api.Url)
        {
            CertificateAuthorities = authorities, TlsServerName = "kubernetes.default", BearerToken = "t",
        });

        await using var session = await client.ExecAsync("shop", "p", new ExecOptions(["x"]));

        (await session.ExitCode).ShouldBe(0);
        api.Requests.Single().Authorization.ShouldBe("Bearer t");
    }

    [Fact]
    public async Task Disposed_session_tells_the_server_and_ends_its_streams()
    {
        var ended = new TaskCompletionSource<bool>();
        await using var api = await MockKubelet.StartAsync(async kubelet => ended.SetResult(await kubelet.ReceiveAsync() is null));
        using var client = api.Client();
        var session = await client.ExecAsync("shop", "p", new ExecOptions(["x"], Stdin: true));
        var read = session.Stdout.ReadAsync(new byte[1]).AsTask();

        await session.DisposeAsync();
        await session.DisposeAsync();

        (await ended.Task).ShouldBeTrue();
        await Should.ThrowAsync<IOException>(() => read);
        await Should.ThrowAsync<IOException>(async () => await session.Stdin.WriteAsync(new byte[1]));
    }
}
