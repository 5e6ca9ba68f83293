using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Watch;

public sealed class BackoffTests
{
    [Fact]
    public void Pauses_double_with_jitter_up_to_half_a_minute()
    {
        var backoff = new Backoff();
        for (var i = 0; i < 20; i++)
        {
            var ceiling = Math.Min(0.2 * Math.Pow(2, i), 30);
            backoff.Next().TotalSeconds.ShouldBeInRange(ceiling / 2, ceiling);
        }
    }

    [Fact]
    public void Reset_begins_anew()
    {
        var backoff = new Backoff();
        for (var i = 0; i < 5; i++)
        {
            backoff.Next();
        }

        backoff.Reset();

        backoff.Next().ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(0.2));
    }
}
