using System.Runtime.InteropServices;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Linux.Tun.Flows;

internal enum FlowState : byte
{
    Free,

    /// <summary>The SYN is held: nobody but us knows of it.</summary>
    Held,

    /// <summary>The kernel's TCP has it.</summary>
    Open,

    /// <summary>Both ends finished or one reset it. Packets still pass: the last acknowledgment, a FIN that was lost.</summary>
    Closing,
}

/// <summary>One TCP flow of the table.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct Flow
{
    public FlowKey Key;

    /// <summary>Null once it was handed out.</summary>
    public TunConnection? Connection;

    /// <summary>Seconds.</summary>
    public int LastSeen;

    /// <summary>How often the slot was used before, modulo <see cref="FlowTable.Generations"/>.</summary>
    public byte Generation;
    public FlowState State;
    public bool ClientFinished;
    public bool ServerFinished;

    internal int NextInBucket;
    internal int Newer;
    internal int Older;
}

/// <summary>
/// TCP flows by both their ends and by slot. Slot and generation make the address and port that a flow has towards the kernel's TCP, so that the way back needs no search. A slot
/// that becomes free is used again last of all and with another generation: the kernel remembers closed connections for a minute (TIME_WAIT) and must not meet their ends again
/// within it. When full, the flow that has been closing for longest makes room. Not thread-safe.
/// </summary>
internal sealed class FlowTable
{
    /// <summary>Each slot is a port.</summary>
    public const int MaxFlows = 65_535;

    /// <summary>Each is an address of a /24 (or /120) beside the network's, the listener's and the broadcast address.</summary>
    public const int Generations = 253;

    private const int SmallestSize = 4096;
    private const int None = -1;

    private readonly int seed = Random.Shared.Next();
    private readonly int capacity;
    private Flow[] flows = [];
    private int[] buckets = [];
    private readonly Queue<int> free = new();
    private int oldestClosing = None;
    private int newestClosing = None;

    public FlowTable(int capacity = MaxFlows)
    {
        this.capacity = capacity;
        Grow(Math.Min(SmallestSize, capacity));
    }

    public int Count { get; private set; }

    public int Slots => flows.Length;

    public ref Flow this[int slot] => ref flows[slot];

    /// <returns>The slot, or -1.</returns>
    public int Find(in FlowKey key)
    {
        for (var slot = buckets[Bucket(key)]; slot != None; slot = flows[slot].NextInBucket)
        {
            if (flows[slot].Key == key)
            {
                return slot;
            }
        }

        return None;
    }

    /// <summary>A flow that isn't in the table yet.</summary>
    /// <returns>Its slot, or -1 when the table is full of flows that are alive.</returns>
    public int Add(in FlowKey key, int now)
    {
        if (free.Count == 0)
        {
            if (flows.Length < capacity)
            {
                Grow(Math.Min(flows.Length * 2, capacity));
            }
            else if (oldestClosing != None)
            {
                Remove(oldestClosing);
            }
            else
            {
                return None;
            }
        }

        var slot = free.Dequeue();
        ref var flow = ref flows[slot];
        var generation = (byte)((flow.Generation + 1) % Generations);
        flow = new Flow { Key = key, State = FlowState.Held, Generation = generation, LastSeen = now, Newer = None, Older = None };
        Link(slot);
        Count++;
        return slot;
    }

    /// <summary>From here on it is kept only for what may still be on its way.</summary>
    public void Close(int slot)
    {
        ref var flow = ref flows[slot];
        if (flow.State == FlowState.Closing)
        {
            return;
        }

        flow.State = FlowState.Closing;
        flow.Older = newestClosing;
        if (newestClosing != None)
        {
            flows[newestClosing].Newer = slot;
        }
        else
        {
            oldestClosing = slot;
        }

        newestClosing = slot;
    }

    public void Remove(int slot)
    {
        ref var flow = ref flows[slot];
        if (flow.State == FlowState.Closing)
        {
            if (flow.Older != None)
            {
                flows[flow.Older].Newer = flow.Newer;
            }
            else
            {
                oldestClosing = flow.Newer;
            }

            if (flow.Newer != None)
            {
                flows[flow.Newer].Older = flow.Older;
            }
            else
            {
                newestClosing = flow.Older;
            }
        }

        Unlink(slot);
        flow.State = FlowState.Free;
        flow.Connection = null;
        free.Enqueue(slot);
        Count--;
    }

    /// <summary>Removes what has been closing since <paramref name="before"/> or earlier (seconds).</summary>
    public void RemoveClosing(int before)
    {
        while (oldestClosing != None && flows[oldestClosing].LastSeen <= before)
        {
            Remove(oldestClosing);
        }
    }

    private void Link(int slot)
    {
        ref var bucket = ref buckets[Bucket(flows[slot].Key)];
        flows[slot].NextInBucket = bucket;
        bucket = slot;
    }

    private void Unlink(int slot)
    {
        ref var link = ref buckets[Bucket(flows[slot].Key)];
        while (link != slot)
        {
            link = ref flows[link].NextInBucket;
        }

        link = flows[slot].NextInBucket;
    }

    /// <summary>Seeded, so that nobody can choose ends that all meet in one bucket.</summary>
    private int Bucket(in FlowKey key) => HashCode.Combine(seed, key.Client, key.Destination, key.ClientPort, key.DestinationPort) & (buckets.Length - 1);

    private void Grow(int size)
    {
        var before = flows.Length;
        Array.Resize(ref flows, size);
        buckets = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)size)];
        Array.Fill(buckets, None);
        for (var slot = 0; slot < before; slot++)
        {
            if (flows[slot].State != FlowState.Free)
            {
                Link(slot);
            }
        }

        for (var slot = before; slot < size; slot++)
        {
            free.Enqueue(slot);
        }
    }
}
