using Fairlead.Gateway.Exits;
using Fairlead.Gateway.Policy;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Gateway.Exits;

public sealed class WorkloadsTests
{
    [Theory]
    [InlineData(WorkloadKind.Deployment, "web", "ReplicaSet", "web-5d9c", true)]
    [InlineData(WorkloadKind.Deployment, "web", "ReplicaSet", "webshop-5d9c", false)]
    [InlineData(WorkloadKind.ReplicaSet, "web-5d9c", "ReplicaSet", "web-5d9c", true)]
    [InlineData(WorkloadKind.StatefulSet, "pg", "StatefulSet", "pg", true)]
    [InlineData(WorkloadKind.StatefulSet, "pg", "ReplicaSet", "pg", false)]
    [InlineData(WorkloadKind.Deployment, "web", "DaemonSet", "web-5d9c", false)]
    internal void Pod_is_of_the_workload_that_made_it(WorkloadKind kind, string name, string ownerKind, string owner, bool expected)
    {
        var pod = Ready();
        pod.Metadata.OwnerReferences = [new OwnerReference { Kind = ownerKind, Name = owner, Controller = true }];
        Workloads.IsOf(pod, new WorkloadKey("shop", kind, name)).ShouldBe(expected);
    }

    [Fact]
    public void Pod_that_is_ready_and_has_its_own_network_can_be_an_exit() => Workloads.WhyNot(Ready()).ShouldBeNull();

    [Fact]
    public void Pod_with_the_node_s_network_can_t()
    {
        var pod = Ready();
        pod.Spec.HostNetwork = true;
        Workloads.WhyNot(pod)!.ShouldContain("hostNetwork");
    }

    [Fact]
    public void Static_pod_can_t()
    {
        var pod = Ready();
        pod.Metadata.Annotations["kubernetes.io/config.mirror"] = "x";
        Workloads.WhyNot(pod)!.ShouldContain("static");
    }

    [Fact]
    public void Pod_that_is_not_ready_or_goes_away_can_t()
    {
        var pod = Ready();
        pod.Metadata.DeletionTimestamp = DateTimeOffset.UnixEpoch;
        Workloads.WhyNot(pod)!.ShouldContain("deleted");
        Workloads.WhyNot(new Pod { Status = new PodStatus() })!.ShouldContain("not ready");
    }

    [Fact]
    public void Selector_is_written_as_the_api_reads_it() => Workloads.Text(new LabelSelector
    {
        MatchLabels = new() { ["app"] = "web" },
        MatchExpressions =
        [
            new() { Key = "tier", Operator = "In", Values = ["a", "b"] }, new() { Key = "old", Operator = "NotIn", Values = ["x"] },
            new() { Key = "here", Operator = "Exists" }, new() { Key = "gone", Operator = "DoesNotExist" },
        ],
    }).ShouldBe("app=web,tier in (a,b),old notin (x),here,!gone");

    [Theory]
    [InlineData("shop/deployment/web", "shop/deployment/web")]
    [InlineData("shop/deploy/web", "shop/deployment/web")]
    [InlineData("shop/sts/web.v2", "shop/statefulset/web.v2")]
    [InlineData("shop/daemonset/web", null)]
    [InlineData("shop/web", null)]
    [InlineData("shop/deployment/", null)]
    [InlineData("Shop/deployment/web", null)]
    [InlineData("shop/deployment/web/x", null)]
    public void Key_is_read_from_what_flows_say(string text, string? expected)
    {
        WorkloadKey.TryParse(text, out var key).ShouldBe(expected is not null);
        (key?.ToString()).ShouldBe(expected);
    }

    private static Pod Ready() => new()
    {
        Metadata = new ObjectMeta { Name = "web-1" },
        Status = new PodStatus { Conditions = [new Condition { Type = "Ready", Status = "True" }] },
    };
}
