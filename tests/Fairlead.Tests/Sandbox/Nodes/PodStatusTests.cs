using System.Text.Json.Nodes;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class PodStatusTests
{
    private static readonly ContainerStatus Running = new("c", "host", "sandbox://1") { State = new ContainerState(ContainerPhase.Running), Ready = true, Started = true };
    private static readonly ContainerStatus Waiting = new("c", "host", "sandbox://1");

    [Theory]
    [InlineData("Always", 0, "Running")]
    [InlineData("OnFailure", 0, "Succeeded")]
    [InlineData("OnFailure", 1, "Running")]
    [InlineData("Never", 0, "Succeeded")]
    [InlineData("Never", 1, "Failed")]
    public void Phase_of_ended_containers_depends_on_the_restart_policy(string policy, int code, string phase)
    {
        var ended = Running with { State = new ContainerState(ContainerPhase.Terminated, ExitCode: code), Ready = false };

        PodStatus.Phase(Manifest.Pod("p", $$"""{"restartPolicy":"{{policy}}"}"""), View(ended)).ShouldBe(phase);
    }

    [Fact]
    public void Container_that_waits_to_be_restarted_leaves_the_pod_running() =>
        PodStatus.Phase(Manifest.Pod("p"), View(Waiting with { State = ContainerState.Waiting("CrashLoopBackOff"), Last = new ContainerState(ContainerPhase.Terminated) }))
            .ShouldBe("Running");

    [Fact]
    public void Container_that_was_never_started_leaves_the_pod_pending() => PodStatus.Phase(Manifest.Pod("p"), View(Waiting)).ShouldBe("Pending");

    [Fact]
    public void Second_write_of_the_same_view_changes_nothing_and_a_transition_keeps_its_time()
    {
        var pod = Manifest.Pod("p");

        PodStatus.Write(pod, View(Running), "T1").ShouldBeTrue();
        PodStatus.Write(pod, View(Running), "T2").ShouldBeFalse();
        PodStatus.Write(pod, View(Running with { Ready = false }), "T3").ShouldBeTrue();

        Condition(pod, "Ready").ShouldBe(("False", "T3"));
        Condition(pod, "Initialized").ShouldBe(("True", "T1"));
    }

    private static (string?, string?) Condition(JsonObject pod, string type)
    {
        var found = pod["status"]!["conditions"]!.AsArray().Single(c => (string?)c!["type"] == type)!;
        return ((string?)found["status"], (string?)found["lastTransitionTime"]);
    }

    private static PodView View(ContainerStatus container) => new("10.244.0.2", "198.18.0.2", "T0", true, [], [container], []);
}
