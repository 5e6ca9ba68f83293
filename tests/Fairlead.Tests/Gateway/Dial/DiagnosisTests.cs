using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Dial;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Dial;

public sealed class DiagnosisTests : IDisposable
{
    private static readonly PeerIdentity Alice = new("invite:alice", default, default);

    private readonly World world = new();
    private readonly ManualTime time = new();
    private readonly Grants grants = new();
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Diagnosis diagnosis;

    public DiagnosisTests()
    {
        diagnosis = new Diagnosis(world.State, grants, new Dialer(world.Planner, NeverAsync, time), time);
        grants.Put("g", new GrantSpec(["invite:alice"], [new GrantRule(["shop"])]));
        listener.Start();
    }

    private int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public void Dispose()
    {
        listener.Dispose();
        diagnosis.Dispose();
    }

    [Fact]
    public async Task Service_that_answers_is_told_with_its_ready_pods_and_their_mesh()
    {
        world.Service("shop/echo", "127.0.0.1", Port);
        world.State.PutPod(new PodView(World.Key("shop/echo-1"), [IPAddress.Parse("10.244.0.5")], HostNetwork: false, Gateway: false, Mesh: "Istio"));
        world.Slice("shop/echo", "echo-x", 8080, ("10.244.0.5", "shop/echo-1"));
        var found = await ExamineAsync("echo.shop.svc", Port);

        found.GatewayNamespace.ShouldBe("fairlead");
        found.GatewayMesh.ShouldBeNull();
        found.Targets.ShouldBe([new TargetDiagnosis(new("echo.shop.svc", Port), DialOutcome.Connected, 1, null, "shop", "Istio")]);
    }

    [Fact]
    public async Task Service_that_refuses_is_told_as_refusing()
    {
        listener.Stop();
        var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        world.Service("shop/echo", "127.0.0.1", port);
        (await ExamineAsync("echo.shop.svc", port)).Targets.Single().Outcome.ShouldBe(DialOutcome.Refused);
    }

    [Fact]
    public async Task Silence_is_given_up_after_a_while()
    {
        world.Service("shop/far", null, 80, kind: ServiceKind.ExternalName, external: "far.example");
        var asked = ExamineAsync("far.shop.svc", 80);
        time.Advance(Diagnosis.Patience);
        (await asked.WaitAsync(TimeSpan.FromSeconds(10))).Targets.Single().Outcome.ShouldBe(DialOutcome.TimedOut);
    }

    [Theory]
    [InlineData("echo.prod.svc")]
    [InlineData("kubernetes.default.svc")]
    public async Task Service_that_is_not_granted_is_neither_tried_nor_described(string host)
    {
        world.Service("prod/echo", "127.0.0.1", Port);
        world.Slice("prod/echo", "echo-x", 8080, ("10.244.0.6", null));
        var target = (await ExamineAsync(host, Port)).Targets.Single();
        (target.Outcome, target.Namespace, target.ReadyPods).ShouldBe((DialOutcome.Denied, null, 0));
        listener.Pending().ShouldBeFalse();
    }

    [Fact]
    public async Task More_targets_than_allowed_are_refused() =>
        (await Should.ThrowAsync<FairleadException>(diagnosis.ExamineAsync(Alice, new DiagnosisRequest([.. Enumerable.Range(1, DiagnosisRequest.MaxTargets + 1).Select(i => new DiagnosisTarget("a.b.svc", i))]), default)))
            .Error.Code.ShouldBe("request-invalid");

    [Fact]
    public async Task Target_that_can_not_be_is_told_as_such() =>
        (await ExamineAsync("a b", 0)).Targets.Single().Outcome.ShouldBe(DialOutcome.Failed);

    private Task<DiagnosisResponse> ExamineAsync(string host, int port) => diagnosis.ExamineAsync(Alice, new DiagnosisRequest([new(host, port)]), default);

    private static async Task<IPAddress[]> NeverAsync(string name, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        return [];
    }
}
