using System.Net.Sockets;
using System.Text;
using Fairlead.Companion.Hosting;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;
using Fairlead.Tests.Daemon.Fakes;
using Fairlead.Tests.Kubernetes;
using Fairlead.Tests.Kubernetes.Config;
using Fairlead.Tests.Kubernetes.Streams;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Companion.Hosting;

/// <summary>A companion and a daemon, over the daemon's real socket.</summary>
public sealed class CompanionTests : IAsyncLifetime
{
    private const uint Alice = 1001;

    private readonly TemporaryDirectory directory = new();
    private readonly FakeHost host = new();
    private readonly FakeGateway gateway = new();
    private readonly CancellationTokenSource stop = new();
    private TestDaemon daemon = null!;

    public async ValueTask InitializeAsync()
    {
        daemon = await TestDaemon.StartAsync(host, gateway);
        host.CallerUid = Alice;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await daemon.DisposeAsync();
        host.Dispose();
        directory.Dispose();
        stop.Dispose();
    }

    [Fact]
    public async Task Carrier_takes_bytes_to_the_pod_and_back_and_says_through_which_server()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync([0, 0xfb, 0x20]);
            await kubelet.SendAsync([1, 0xfb, 0x20]);
            while (await kubelet.ReceiveAsync() is { } message)
            {
                await kubelet.SendAsync(0, message.Text.ToUpperInvariant());
            }
        });
        await StartCompanionAsync();

        var carrier = await daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), "gateway-1", 8443), Soon);
        await using (carrier.Stream)
        {
            await carrier.Stream.WriteAsync("hello"u8.ToArray(), Soon);
            var buffer = new byte[5];
            await carrier.Stream.ReadExactlyAsync(buffer, Soon);
            Encoding.UTF8.GetString(buffer).ShouldBe("HELLO");
        }

        carrier.Server.ShouldBe(api.Url.GetLeftPart(UriPartial.Authority));
        var request = api.Requests.Last();
        (request.Path, request.Query).ShouldBe(("/api/v1/namespaces/fairlead/pods/gateway-1/portforward", "?ports=8443"));
    }

    [Fact]
    public async Task Carrier_that_the_pod_ends_is_at_its_end_for_the_daemon_too()
    {
        await using var api = await MockKubelet.StartAsync(async kubelet =>
        {
            await kubelet.SendAsync([0, 0xfb, 0x20, (byte)'x']);
            await kubelet.CloseAsync();
        });
        await StartCompanionAsync();

        var carrier = await daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), "gateway-1", 8443), Soon);
        await using (carrier.Stream)
        {
            (await MockKubelet.ReadToEndAsync(carrier.Stream)).ShouldBe("x");
        }
    }

    [Fact]
    public async Task Carrier_that_the_cluster_refuses_is_refused_with_the_cluster_s_words()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 403, "Forbidden", "alice may not portforward"));
        await StartCompanionAsync();

        var error = await daemon.FailAsync(() => daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), "gateway-1", 8443), Soon));

        error.Code.ShouldBe("cluster-rights-missing");
        error.Why!.ShouldContain("alice may not portforward");
    }

    [Fact]
    public async Task Carrier_without_a_pod_goes_to_one_that_is_ready()
    {
        await using var api = await MockApi.StartAsync(async (context, request) =>
        {
            if (request.Path.EndsWith("/pods", StringComparison.Ordinal))
            {
                await MockApi.AnswerAsync(context, """
                    {"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[
                      {"metadata":{"name":"starting","namespace":"fairlead"},"spec":{"containers":[]},"status":{"conditions":[{"type":"Ready","status":"False"}]}},
                      {"metadata":{"name":"ready","namespace":"fairlead"},"spec":{"containers":[]},"status":{"conditions":[{"type":"Ready","status":"True"}]}},
                      {"metadata":{"name":"leaving","namespace":"fairlead","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"containers":[]},"status":{"conditions":[{"type":"Ready","status":"True"}]}}]}
                    """);
                return;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync("v4.channel.k8s.io");
            await new MockKubelet(socket).ReceiveAsync();
        });
        await StartCompanionAsync();

        await (await daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), null, 8443), Soon)).Stream.DisposeAsync();

        api.Requests.ShouldContain(request => request.Path.EndsWith("/pods/ready/portforward", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Kubeconfig_that_is_missing_is_told()
    {
        await StartCompanionAsync();
        var error = await daemon.FailAsync(() => daemon.Companions.OpenAsync(Alice, new OpenCarrier(new ClusterAccess("/nonexistent/config", null, "fairlead"), "p", 1), Soon));
        error.Code.ShouldBe("kubeconfig-unusable");
    }

    [Fact]
    public async Task Enrolment_hands_the_request_to_the_cluster_and_brings_what_it_said()
    {
        await StartCompanionAsync(new FakeEnrolment(request => ($"certificate for {request}", "{\"uid\":\"1\"}")));
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 404, "NotFound"));

        var enrolled = await daemon.Companions.EnrolAsync(Alice, new ClusterEnrolment(Access(api), "request"), Soon);

        enrolled.ShouldBe(new ClusterEnrolled("certificate for request", "{\"uid\":\"1\"}", "test", api.Url.GetLeftPart(UriPartial.Authority)));
    }

    [Fact]
    public async Task Without_a_companion_of_that_uid_a_carrier_is_refused_at_once()
    {
        await StartCompanionAsync();
        var error = await daemon.FailAsync(() => daemon.Companions.OpenAsync(1002, new OpenCarrier(new ClusterAccess("/x", null, "fairlead"), "p", 1), Soon));
        error.Code.ShouldBe("companion-missing");
    }

    [Fact]
    public async Task Newer_companion_takes_the_place_of_the_older_which_ends()
    {
        var older = await StartCompanionAsync();
        var newer = await StartCompanionAsync(waitFor: false);

        await older.WaitAsync(Soon);

        daemon.Companions.PidOf(Alice).ShouldNotBeNull();
        newer.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task Companion_that_ends_fails_what_it_was_asked()
    {
        var asked = new TaskCompletionSource();
        await StartCompanionAsync(new FakeEnrolment(_ =>
        {
            asked.SetResult();
            stop.Cancel();
            throw new OperationCanceledException();
        }));

        var enrolling = daemon.Companions.EnrolAsync(Alice, new ClusterEnrolment(new ClusterAccess(WriteKubeconfig("http://127.0.0.1:1"), null, "fairlead"), "request"), Soon);
        await asked.Task.WaitAsync(Soon);

        (await daemon.FailAsync(() => enrolling)).Code.ShouldBe("companion-lost");
    }

    [Fact]
    public async Task Control_without_the_protocol_s_upgrade_is_refused()
    {
        (await daemon.FailAsync(() => daemon.SendAsync(HttpMethod.Get, CompanionApi.Control))).Code.ShouldBe("companion-version");
    }

    [Fact]
    public async Task Carrier_that_nobody_asked_for_is_closed()
    {
        await StartCompanionAsync();
        using var socket = new DaemonSocket(daemon.Socket);
        await using var stream = await socket.CarryAsync(new CarrierGreeting(77, "https://api"), Soon);
        (await MockKubelet.ReadToEndAsync(stream)).ShouldBe("");
    }

    [Fact]
    public async Task Carrier_of_another_user_is_closed_and_the_one_that_was_asked_still_comes()
    {
        await using var api = await MockKubelet.StartAsync(kubelet => kubelet.ReceiveAsync());
        await StartCompanionAsync();
        using var socket = new DaemonSocket(daemon.Socket);
        host.CallerUid = 1002;
        await using (var stranger = await socket.CarryAsync(new CarrierGreeting(1, "https://other"), Soon))
        {
            (await MockKubelet.ReadToEndAsync(stranger)).ShouldBe("");
        }

        host.CallerUid = Alice;
        var carrier = await daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), "gateway-1", 8443), Soon);
        await carrier.Stream.DisposeAsync();
        carrier.Server.ShouldBe(api.Url.GetLeftPart(UriPartial.Authority));
    }

    [Fact]
    public async Task Greeting_that_makes_no_sense_ends_its_connection_only()
    {
        await using var api = await MockKubelet.StartAsync(kubelet => kubelet.ReceiveAsync());
        await StartCompanionAsync();
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(CompanionApi.CarrierSocketOf(daemon.Socket)), Soon);
        await socket.SendAsync(Enumerable.Repeat((byte)0xff, 10).ToArray(), Soon);
        (await socket.ReceiveAsync(new byte[1], Soon)).ShouldBe(0);

        await (await daemon.Companions.OpenAsync(Alice, new OpenCarrier(Access(api), "gateway-1", 8443), Soon)).Stream.DisposeAsync();
    }

    [Theory]
    [InlineData(true, "1000", true)]
    [InlineData(true, "0", false)]
    [InlineData(true, null, false)]
    [InlineData(false, "1000", false)]
    public void Companion_refuses_to_be_root_for_another_user(bool privileged, string? sudoUid, bool refused)
    {
        var act = () => CompanionOptions.RequireOwnUser(privileged, name => name == "SUDO_UID" ? sudoUid : null);
        if (refused)
        {
            Should.Throw<FairleadException>(act).Error.Code.ShouldBe("companion-root");
        }
        else
        {
            Should.NotThrow(act);
        }
    }

    private ClusterAccess Access(MockApi api) => new(WriteKubeconfig(api.Url.ToString()), null, "fairlead");

    private string WriteKubeconfig(string server) => directory.Write("config", $$"""
        apiVersion: v1
        kind: Config
        current-context: test
        clusters: [{ name: c, cluster: { server: "{{server}}" } }]
        users: [{ name: u, user: { token: secret } }]
        contexts: [{ name: test, context: { cluster: c, user: u } }]
        """);

    private async Task<Task> StartCompanionAsync(IClusterEnrolment? enrolment = null, bool waitFor = true)
    {
        var running = RunAsync();
        for (var seen = daemon.Companions.Changed.Version; waitFor && daemon.Companions.PidOf(Alice) is null; seen = daemon.Companions.Changed.Version)
        {
            await daemon.Companions.Changed.WaitAsync(seen, Soon);
        }

        return running;

        async Task RunAsync()
        {
            using var socket = new DaemonSocket(daemon.Socket);
            using var clusters = new ClusterClients(TimeProvider.System);
            try
            {
                await new RunningCompanion(socket, clusters, enrolment, TimeProvider.System, NullLogger<RunningCompanion>.Instance).RunAsync(stop.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // The test is over.
            }
        }
    }

    private sealed class FakeEnrolment(Func<string, (string, string)> answer) : IClusterEnrolment
    {
        public Task<(string Certificates, string Facts)> EnrolAsync(KubernetesClient client, string certificateRequest, CancellationToken cancellationToken) =>
            Task.FromResult(answer(certificateRequest));
    }
}
