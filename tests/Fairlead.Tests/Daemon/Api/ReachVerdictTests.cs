using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Api;
using Fairlead.Daemon.Flows;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Daemon.Api;

public sealed class ReachVerdictTests
{
    private static readonly DiagnosisTarget Orders = new("orders.shop.svc", 80);

    [Fact]
    public void Silence_of_ready_pods_is_explained_as_a_network_policy()
    {
        var check = Judge(Found(DialOutcome.TimedOut)).ShouldHaveSingleItem();
        check.Result.ShouldBe(CheckResult.Failed);
        check.Message.ShouldContain("a NetworkPolicy of namespace shop lets nothing in from namespace fairlead");
        check.Hint!.ShouldStartWith("kubectl get networkpolicies -n shop");
    }

    [Theory]
    [InlineData("Istio", "peerauthentications")]
    [InlineData("Linkerd", "servers.policy.linkerd.io")]
    public void Connections_closed_without_a_byte_by_pods_in_a_mesh_are_explained_as_strict_mtls(string mesh, string command)
    {
        var check = Judge(Found(DialOutcome.Connected, mesh: mesh), silent: 3).ShouldHaveSingleItem();
        check.Result.ShouldBe(CheckResult.Failed);
        check.Message.ShouldContain($"part of the mesh {mesh}");
        check.Message.ShouldContain("strict mTLS");
        check.Hint!.ShouldContain(command);
    }

    [Fact]
    public void Gateway_that_is_in_the_mesh_itself_is_not_kept_out_by_it()
    {
        var check = Judge(Found(DialOutcome.Connected, mesh: "Istio") with { GatewayMesh = "Istio" }, silent: 3).ShouldHaveSingleItem();
        check.Result.ShouldBe(CheckResult.Warning);
        check.Message.ShouldNotContain("mTLS");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Mesh_alone_and_a_single_closed_connection_are_no_finding(int silent) =>
        Judge(Found(DialOutcome.Connected, mesh: "Istio"), silent).ShouldHaveSingleItem().Result.ShouldBe(CheckResult.Ok);

    [Theory]
    [InlineData(DialOutcome.Refused, 0, "no pod that is ready")]
    [InlineData(DialOutcome.TimedOut, 0, "no pod that is ready")]
    [InlineData(DialOutcome.Refused, 2, "target port")]
    [InlineData(DialOutcome.Failed, 2, "because")]
    public void Other_failures_say_what_is_known(DialOutcome outcome, int ready, string text) =>
        Judge(Found(outcome, ready)).ShouldHaveSingleItem().Message.ShouldContain(text);

    [Fact]
    public void Findings_with_one_remedy_are_one_check_and_what_is_denied_is_left_out()
    {
        var found = Found(DialOutcome.TimedOut);
        found = found with
        {
            Targets =
            [
                found.Targets[0], found.Targets[0] with { Target = new("cart.shop.svc", 80) }, new(new("x.prod.svc", 80), DialOutcome.Denied, Reason: "no grant"),
                new(new("ok.shop.svc", 80), DialOutcome.Connected, 1, Namespace: "shop"),
            ],
        };
        var checks = Judge(found);
        checks.Select(c => c.Result).ShouldBe([CheckResult.Ok, CheckResult.Failed]);
        checks[0].Message.ShouldContain("reaches 1 of the 3 services");
        checks[1].Message.ShouldEndWith("It is the same with 1 more.");
    }

    private static IReadOnlyList<DoctorCheck> Judge(DiagnosisResponse found, int silent = 0) => ReachVerdict.Judge(
        "team", found, new Dictionary<DiagnosisTarget, FlowTrouble> { [Orders] = new(new FlowTarget(TransportProtocol.Tcp, Orders.Host, Orders.Port), 0, silent) });

    private static DiagnosisResponse Found(DialOutcome outcome, int ready = 2, string? mesh = null) =>
        new("fairlead", [new TargetDiagnosis(Orders, outcome, ready, outcome == DialOutcome.Connected ? null : "because", "shop", mesh)]);
}
