using System.Net;

namespace Fairlead.Daemon.Plan;

/// <summary>
/// Single virtual addresses for single addresses of the cluster, where the pool has no block of a subnet's size. An address is kept as long as there are
/// others; then the one that was used least recently is given to another. Bounded by its block. Thread-safe.
/// </summary>
internal sealed class AddressTable
{
    private readonly Lock gate = new();
    private readonly Dictionary<IPAddress, LinkedListNode<Assignment>> byReal = [];
    private readonly Dictionary<IPAddress, LinkedListNode<Assignment>> byLocal = [];

    /// <summary>The least recently used first.</summary>
    private readonly LinkedList<Assignment> order = [];
    private readonly int capacity;
    private int next;
    private long version;

    /// <param name="block">IPv4, of at most 2^<see cref="VirtualPool.LargestTable"/> addresses; its first address is the network's own and not handed out.</param>
    /// <param name="known">Of an earlier run, the least recently used first; those outside the block are left out.</param>
    public AddressTable(Prefix block, IEnumerable<(IPAddress Real, IPAddress Local)> known)
    {
        Block = block;
        capacity = (int)(block.Last - block.First);
        foreach (var (real, local) in known)
        {
            if (block.Contains(Prefix.Of(local)) && Prefix.Of(local).First != block.First && !byReal.ContainsKey(real) && !byLocal.ContainsKey(local))
            {
                Add(real, local);
            }
        }
    }

    public Prefix Block { get; }

    /// <summary>Nine tenths are handed out: soon an address that is still in use may be given to another.</summary>
    public bool IsNearlyFull
    {
        get
        {
            lock (gate)
            {
                return byReal.Count >= capacity * 9L / 10;
            }
        }
    }

    /// <summary>Counts what was handed out anew.</summary>
    public long Version => Volatile.Read(ref version);

    /// <summary>The least recently used first.</summary>
    public IReadOnlyList<(IPAddress Real, IPAddress Local)> Assignments
    {
        get
        {
            lock (gate)
            {
                return [.. order.Select(assignment => (assignment.Real, assignment.Local))];
            }
        }
    }

    public IPAddress ToLocal(IPAddress real)
    {
        lock (gate)
        {
            if (byReal.TryGetValue(real, out var known))
            {
                Touch(known);
                return known.Value.Local;
            }

            version++;
            if (byReal.Count >= capacity)
            {
                var oldest = order.First!.Value;
                order.RemoveFirst();
                byReal.Remove(oldest.Real);
                byLocal.Remove(oldest.Local);
                return Add(real, oldest.Local);
            }

            IPAddress local;
            do
            {
                next = (next % capacity) + 1;
                local = Prefix.Of(Block.IsIPv6, Block.First + (UInt128)next, Block.Bits).Network.BaseAddress;
            }
            while (byLocal.ContainsKey(local));

            return Add(real, local);
        }
    }

    /// <summary>Null: nobody was given this address.</summary>
    public IPAddress? ToReal(IPAddress local)
    {
        lock (gate)
        {
            if (!byLocal.TryGetValue(local, out var known))
            {
                return null;
            }

            Touch(known);
            return known.Value.Real;
        }
    }

    private IPAddress Add(IPAddress real, IPAddress local)
    {
        var node = order.AddLast(new Assignment(real, local));
        byReal[real] = node;
        byLocal[local] = node;
        return local;
    }

    private void Touch(LinkedListNode<Assignment> node)
    {
        order.Remove(node);
        order.AddLast(node);
    }

    private sealed record Assignment(IPAddress Real, IPAddress Local);
}
