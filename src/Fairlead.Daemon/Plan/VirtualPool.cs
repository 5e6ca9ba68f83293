namespace Fairlead.Daemon.Plan;

/// <summary>
/// Hands out virtual subnets: aligned blocks of the size of what they stand for, so that an address is the same offset in both. What an earlier plan
/// handed out stays as it was where it still fits, and is not given to another subnet while there is room elsewhere.
/// </summary>
internal sealed class VirtualPool
{
    /// <summary>Class E: no host has such an address, and Linux routes it.</summary>
    public static readonly Prefix Default = Prefix.Parse("246.0.0.0/8");

    /// <summary>Unique local addresses (RFC 4193) of our own.</summary>
    public static readonly Prefix Default6 = Prefix.Parse("fd46:6169:7200::/40");

    /// <summary>A table of single addresses: more than anybody has in use at once.</summary>
    public const int LargestTable = 16;

    /// <summary>With fewer addresses each would be handed on while it is in use.</summary>
    public const int SmallestTable = 28;

    private static readonly Prefix DefaultStart = Prefix.Parse("246.246.0.0/16");

    private readonly Dictionary<Prefix, Prefix> known;
    private PrefixSet free;

    /// <param name="pool">For IPv4.</param>
    /// <param name="taken">Of whatever family and place: nothing is handed out there.</param>
    public VirtualPool(Prefix pool, PrefixSet taken, IReadOnlyList<TranslatedSubnet> known)
    {
        Pool = pool;
        free = PrefixSet.Of(pool, Default6).Except(taken);
        this.known = [];
        foreach (var (real, local) in known.Select(subnet => (Prefix.Of(subnet.Real), Prefix.Of(subnet.Local))))
        {
            if (real.Length == local.Length && real.IsIPv6 == local.IsIPv6 && free.Covers(local) && !this.known.Values.Any(other => other.Overlaps(local)))
            {
                this.known[real] = local;
            }
        }
    }

    public Prefix Pool { get; }

    /// <summary>Those that had a block come first, so that nobody else takes it.</summary>
    public IEnumerable<T> Order<T>(IEnumerable<T> wanted, Func<T, Prefix> prefix) => wanted.OrderBy(one => !known.ContainsKey(prefix(one)));

    /// <summary>Null: no block of its size is left.</summary>
    public Prefix? Take(Prefix real)
    {
        var block = known.TryGetValue(real, out var mine) && free.Covers(mine)
            ? mine
            : First(free.Except(PrefixSet.Of(known.Values)), real.IsIPv6, real.Length) ?? First(free, real.IsIPv6, real.Length);
        if (block is { } taken)
        {
            free = free.Except(PrefixSet.Of(taken));
        }

        return block;
    }

    /// <summary>For single IPv4 addresses: the largest block that is left.</summary>
    public Prefix? TakeTable()
    {
        for (var length = LargestTable; length <= SmallestTable; length++)
        {
            if (First(free, isIPv6: false, length) is { } block)
            {
                free = free.Except(PrefixSet.Of(block));
                return block;
            }
        }

        return null;
    }

    private Prefix? First(PrefixSet set, bool isIPv6, int length) =>
        (!isIPv6 && Pool.Contains(DefaultStart) ? set.FirstBlock(isIPv6, length, DefaultStart.First) : null) ?? set.FirstBlock(isIPv6, length, 0);
}
