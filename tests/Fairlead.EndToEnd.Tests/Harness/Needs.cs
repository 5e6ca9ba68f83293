using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Harness;

internal static class Needs
{
    /// <summary>Skips the test on a cluster that lacks what it needs.</summary>
    public static void Need(Cluster cluster, ClusterFeature feature)
    {
        var reason = cluster.WhyWithout(feature);
        Assert.SkipWhen(reason is not null, reason ?? "");
    }
}
