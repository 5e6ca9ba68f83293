using Fairlead.Sandbox.Controllers;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Sandbox.Controllers;

public sealed class RolloutTests
{
    [Theory]
    [InlineData("25%", 3, true, 1)]
    [InlineData("25%", 3, false, 0)]
    [InlineData("2", 3, true, 2)]
    [InlineData(null, 4, false, 1)]
    [InlineData("nonsense", 4, false, 0)]
    public void Percentage_rounds_in_favour_of_availability(string? value, int total, bool roundUp, int expected) =>
        Rollout.Absolute(value, total, roundUp, "25%").ShouldBe(expected);

    [Fact]
    public void First_rollout_makes_all_at_once() =>
        Rollout.Next(3, 1, 0, new("new", 0, 0), [])["new"].ShouldBe(3);

    [Fact]
    public void Old_pods_go_only_as_new_ones_become_available()
    {
        Rollout.Next(3, 1, 0, new("new", 0, 0), [new("old", 3, 3)]).ShouldBe(new Dictionary<string, int> { ["new"] = 1 });
        Rollout.Next(3, 1, 0, new("new", 1, 1), [new("old", 3, 3)]).ShouldBe(new Dictionary<string, int> { ["old"] = 2 });
    }

    [Fact]
    public void Old_pods_that_are_broken_go_at_once() =>
        Rollout.Next(3, 1, 0, new("new", 1, 0), [new("old", 3, 1)])["old"].ShouldBe(1);

    [Fact]
    public void Every_rollout_ends_and_keeps_its_limits_on_the_way() => Prop.ForAll(
        Gen.Choose(0, 12).Four().ToArbitrary(),
        numbers =>
        {
            var (wanted, surge, unavailable, oldSize) = numbers;
            var (current, old) = (0, oldSize);
            for (var step = 0; step < 200; step++)
            {
                var next = Rollout.Next(wanted, surge, unavailable, new("new", current, current), [new("old", old, old)]);
                if (next.Count == 0)
                {
                    break;
                }

                var total = next.GetValueOrDefault("new", current) + next.GetValueOrDefault("old", old);
                total.ShouldBeLessThanOrEqualTo(Math.Max(wanted + surge, current + old));
                (current, old) = (next.GetValueOrDefault("new", current), next.GetValueOrDefault("old", old));
            }

            (current, old).ShouldBe((wanted, 0));
        }).QuickCheckThrowOnFailure();
}
