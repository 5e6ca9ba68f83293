using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class ProbeCounterTests
{
    [Fact]
    public void Failures_count_only_in_a_row()
    {
        var counter = new ProbeCounter(failureThreshold: 2, successThreshold: 1, initial: true);

        counter.Add(false).ShouldBeFalse();
        counter.Add(true);
        counter.Add(false).ShouldBeFalse();
        counter.Healthy.ShouldBeTrue();
        counter.Add(false).ShouldBeTrue();
        counter.Healthy.ShouldBeFalse();
    }

    [Fact]
    public void Success_threshold_keeps_a_container_unready_until_it_is_reached()
    {
        var counter = new ProbeCounter(failureThreshold: 3, successThreshold: 2, initial: false);

        counter.Add(true).ShouldBeFalse();
        counter.Healthy.ShouldBeFalse();
        counter.Add(true).ShouldBeTrue();
        counter.Healthy.ShouldBeTrue();
    }
}
