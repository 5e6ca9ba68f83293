namespace Fairlead.Daemon.Plan;

/// <summary>A set of addresses of both families: an immutable value, kept as ranges that neither overlap nor touch, in their order.</summary>
internal sealed class PrefixSet
{
    public static readonly PrefixSet Empty = new([]);

    private readonly Range[] ranges;

    private PrefixSet(Range[] ranges) => this.ranges = ranges;

    public bool IsEmpty => ranges.Length == 0;

    public static PrefixSet Of(params IEnumerable<Prefix> prefixes)
    {
        var merged = new List<Range>();
        foreach (var prefix in prefixes.Order())
        {
            var next = new Range(prefix.IsIPv6, prefix.First, prefix.Last);
            if (merged.Count > 0 && merged[^1] is var last && last.IsIPv6 == next.IsIPv6 && (next.First <= last.Last || next.First - last.Last == 1))
            {
                merged[^1] = last with { Last = UInt128.Max(last.Last, next.Last) };
            }
            else
            {
                merged.Add(next);
            }
        }

        return new PrefixSet([.. merged]);
    }

    public PrefixSet Union(PrefixSet other) => Of(Prefixes().Concat(other.Prefixes()));

    public PrefixSet Except(PrefixSet other)
    {
        var rest = new List<Range>();
        foreach (var range in ranges)
        {
            var first = range.First;
            var open = true;
            for (var i = other.IndexOf(range.IsIPv6, range.First); open && i < other.ranges.Length && other.ranges[i] is var hole && hole.IsIPv6 == range.IsIPv6 && hole.First <= range.Last; i++)
            {
                if (hole.First > first)
                {
                    rest.Add(range with { First = first, Last = hole.First - 1 });
                }

                open = hole.Last < range.Last;
                first = hole.Last + 1;
            }

            if (open)
            {
                rest.Add(range with { First = first });
            }
        }

        return new PrefixSet([.. rest]);
    }

    public PrefixSet Intersect(Prefix prefix)
    {
        var inside = new List<Range>();
        for (var i = IndexOf(prefix.IsIPv6, prefix.First); i < ranges.Length && ranges[i] is var range && range.IsIPv6 == prefix.IsIPv6 && range.First <= prefix.Last; i++)
        {
            inside.Add(range with { First = UInt128.Max(range.First, prefix.First), Last = UInt128.Min(range.Last, prefix.Last) });
        }

        return new PrefixSet([.. inside]);
    }

    public bool Overlaps(Prefix prefix)
    {
        var i = IndexOf(prefix.IsIPv6, prefix.First);
        return i < ranges.Length && ranges[i].IsIPv6 == prefix.IsIPv6 && ranges[i].First <= prefix.Last;
    }

    /// <summary>Every address of it is in the set.</summary>
    public bool Covers(Prefix prefix)
    {
        var i = IndexOf(prefix.IsIPv6, prefix.First);
        return i < ranges.Length && ranges[i].IsIPv6 == prefix.IsIPv6 && ranges[i].First <= prefix.First && ranges[i].Last >= prefix.Last;
    }

    /// <summary>As few CIDRs as possible, in their order.</summary>
    public IEnumerable<Prefix> Prefixes()
    {
        foreach (var (isIPv6, start, last) in ranges)
        {
            var first = start;
            while (true)
            {
                var prefix = Largest(isIPv6, first, last);
                yield return prefix;
                if (prefix.Last == last)
                {
                    break;
                }

                first = prefix.Last + 1;
            }
        }
    }

    /// <summary>The first CIDR of this length in the set that begins at or after an address; null when there is none.</summary>
    public Prefix? FirstBlock(bool isIPv6, int length, UInt128 from)
    {
        var size = Prefix.Of(isIPv6, 0, length).Last;   // less one
        for (var i = IndexOf(isIPv6, from); i < ranges.Length && ranges[i] is var range && range.IsIPv6 == isIPv6; i++)
        {
            var first = UInt128.Max(range.First, from);
            if ((first & size) != 0)
            {
                if ((first | size) >= range.Last)
                {
                    continue;
                }

                first = (first | size) + 1;
            }

            if (range.Last - first >= size)
            {
                return Prefix.Of(isIPv6, first, length);
            }
        }

        return null;
    }

    /// <summary>The largest CIDR that begins with <paramref name="first"/> and does not reach beyond <paramref name="last"/>.</summary>
    private static Prefix Largest(bool isIPv6, UInt128 first, UInt128 last)
    {
        var bits = isIPv6 ? 128 : 32;
        var length = bits - Math.Min(bits, (int)UInt128.TrailingZeroCount(first));
        while (Prefix.Of(isIPv6, first, length).Last > last)
        {
            length++;
        }

        return Prefix.Of(isIPv6, first, length);
    }

    /// <summary>The first range that ends at or after this address.</summary>
    private int IndexOf(bool isIPv6, UInt128 address)
    {
        var (low, high) = (0, ranges.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            var range = ranges[middle];
            if (range.IsIPv6 == isIPv6 ? range.Last < address : isIPv6)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    /// <summary>Both ends belong to it.</summary>
    private readonly record struct Range(bool IsIPv6, UInt128 First, UInt128 Last);
}
