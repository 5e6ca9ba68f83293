namespace Fairlead.Sandbox.Controllers;

/// <summary>One ReplicaSet of a Deployment: how many pods it should have and how many of them are available.</summary>
internal readonly record struct RolloutSet(string Name, int Replicas, int Available);

/// <summary>The arithmetic of a rolling update (Kubernetes' documentation of Deployment, <c>maxSurge</c> and <c>maxUnavailable</c>); pure.</summary>
internal static class Rollout
{
    /// <summary>The absolute value of an IntOrString field: a number, or a percentage of <paramref name="total"/>.</summary>
    internal static int Absolute(string? value, int total, bool roundUp, string fallback)
    {
        var text = value ?? fallback;
        if (!text.EndsWith('%'))
        {
            return int.TryParse(text, out var number) ? Math.Max(0, number) : 0;
        }

        var part = int.TryParse(text[..^1], out var percent) ? Math.Max(0, percent) * (double)total / 100 : 0;
        return (int)(roundUp ? Math.Ceiling(part) : Math.Floor(part));
    }

    /// <summary>
    /// The next sizes on the way to <paramref name="wanted"/> pods of <paramref name="current"/>: never more than wanted + surge pods in
    /// all, never fewer than wanted - unavailable available ones. Sets that are not in the result stay.
    /// </summary>
    internal static IReadOnlyDictionary<string, int> Next(
        int wanted, int surge, int unavailable, RolloutSet current, IReadOnlyList<RolloutSet> old)
    {
        // Both zero would never move (validation refuses it, percentages may round down to it).
        unavailable = surge == 0 && unavailable == 0 ? 1 : unavailable;
        var sizes = new Dictionary<string, int>();
        var total = current.Replicas + old.Sum(set => set.Replicas);
        var next = current.Replicas > wanted ? wanted : Math.Min(wanted, current.Replicas + Math.Max(0, wanted + surge - total));
        if (next != current.Replicas)
        {
            sizes[current.Name] = next;
        }

        // Pods that aren't available can go first: they don't count towards the minimum.
        var spare = current.Available + old.Sum(set => set.Available) - (wanted - unavailable);
        foreach (var set in old.Where(set => set.Replicas > 0))
        {
            var broken = Math.Max(0, set.Replicas - set.Available);
            var healthy = Math.Clamp(set.Replicas - broken, 0, Math.Max(0, spare));
            spare -= healthy;
            if (broken + healthy > 0)
            {
                sizes[set.Name] = set.Replicas - broken - healthy;
            }
        }

        return sizes;
    }
}
