namespace Fairlead.Daemon.Plan;

/// <summary>A subnet that is wanted, as one unit: it conflicts, and is translated, as a whole.</summary>
/// <param name="Origin">For people: <c>services of the cluster</c>.</param>
/// <param name="Wish">To be virtual whatever else happens; null when there is none.</param>
/// <param name="IsNested">Part of another unit, which stays whole.</param>
internal sealed record WantedSubnet(Prefix Prefix, string Origin, VirtualWish? Wish, bool IsNested)
{
    /// <summary>The cluster's subnets, then those that are also proxied, then those of wishes. What an earlier one has, a later one leaves out.</summary>
    public static IReadOnlyList<WantedSubnet> All(ClusterSubnets cluster, PlanWishes wishes)
    {
        var units = new List<WantedSubnet>();
        var covered = PrefixSet.Empty;
        void Add(Prefix subnet, string origin)
        {
            foreach (var part in PrefixSet.Of(subnet).Except(covered).Prefixes())
            {
                units.Add(new WantedSubnet(part, origin, wishes.Virtual.FirstOrDefault(wish => wish.Subnet.Contains(part)), false));
            }

            covered = covered.Union(PrefixSet.Of(subnet));
        }

        foreach (var subnet in cluster.Services)
        {
            Add(subnet, "services of the cluster");
        }

        foreach (var subnet in cluster.Pods)
        {
            Add(subnet, "pods of the cluster");
        }

        foreach (var (subnet, source) in wishes.Also)
        {
            Add(subnet, $"also proxied ({source})");
        }

        foreach (var wish in wishes.Virtual)
        {
            if (units.Find(unit => !unit.IsNested && unit.Prefix != wish.Subnet && unit.Prefix.Contains(wish.Subnet)) is { } around)
            {
                units.Add(new WantedSubnet(wish.Subnet, around.Origin, wish, true));
            }
            else
            {
                Add(wish.Subnet, $"wished for ({wish.Source})");
            }
        }

        return units;
    }
}
