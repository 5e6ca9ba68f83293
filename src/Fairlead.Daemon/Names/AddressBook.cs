using System.Buffers.Binary;
using System.Net;

namespace Fairlead.Daemon.Names;

/// <summary>Who has an address: a service, or one endpoint of a headless service, of one space.</summary>
/// <param name="Space">The space's key on this laptop.</param>
/// <param name="Host">The service's name, or <c>endpoint.service</c>.</param>
internal readonly record struct AddressKey(string Space, string Namespace, string Host);

/// <param name="LastUsed">Kept to the day.</param>
internal sealed record AddressAssignment(AddressKey Key, IPAddress Address, DateOnly LastUsed);

/// <summary>
/// Gives each service one address of the loopback range and keeps it: an address once given stays with its service until the range is full, and
/// then the one that was unused for longest is taken. Where a service starts its search follows from its name alone, so that most
/// services get the same address on every laptop. Not thread-safe.
/// </summary>
internal sealed class AddressBook
{
    private const uint ServerOffset = 53;

    private readonly uint network;
    private readonly uint size;
    private readonly Dictionary<AddressKey, AddressAssignment> byKey = [];
    private readonly Dictionary<uint, AddressKey> byAddress = [];

    /// <param name="range">IPv4, at most /24, so that there is always room to probe.</param>
    public AddressBook(IPNetwork range)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(range.PrefixLength, 24, nameof(range));
        Range = range;
        network = ToNumber(range.BaseAddress);
        size = 1u << (32 - range.PrefixLength);
    }

    public IPNetwork Range { get; }

    /// <summary>Where our DNS server listens: given to no service.</summary>
    public static IPAddress ServerOf(IPNetwork range) => FromNumber(ToNumber(range.BaseAddress) + ServerOffset);

    /// <summary>Changes with every assignment: equal versions need not be stored again.</summary>
    public long Version { get; private set; }

    /// <summary>Takes over what was stored; what lies outside the range, or is held by another already, is left out.</summary>
    public void Load(IEnumerable<AddressAssignment> stored)
    {
        foreach (var assignment in stored)
        {
            var number = ToNumber(assignment.Address);
            if (IsUsable(number) && !byKey.ContainsKey(assignment.Key) && byAddress.TryAdd(number, assignment.Key))
            {
                byKey.Add(assignment.Key, assignment);
            }
        }
    }

    /// <summary>What a space has, to be stored.</summary>
    public IReadOnlyList<AddressAssignment> Of(string space) =>
        [.. byKey.Values.Where(assignment => assignment.Key.Space == space).OrderBy(assignment => ToNumber(assignment.Address))];

    public IPAddress? Find(AddressKey key) => byKey.GetValueOrDefault(key)?.Address;

    /// <summary>Frees what spaces had that are left by now.</summary>
    public void Keep(IReadOnlySet<string> spaces)
    {
        foreach (var assignment in byKey.Values.Where(assignment => !spaces.Contains(assignment.Key.Space)).ToList())
        {
            Release(assignment);
        }
    }

    /// <summary>Gives an address to each of <paramref name="wanted"/>. Whoever isn't in the result got none because the range is full of wanted ones.</summary>
    /// <param name="taken">Addresses that others on this laptop use; no new assignment takes one.</param>
    public IReadOnlyDictionary<AddressKey, IPAddress> Assign(IReadOnlyCollection<AddressKey> wanted, IReadOnlySet<IPAddress> taken, DateOnly today)
    {
        var result = new Dictionary<AddressKey, IPAddress>(wanted.Count);
        var missing = new List<AddressKey>();
        foreach (var key in wanted)
        {
            if (byKey.TryGetValue(key, out var known))
            {
                result[key] = known.Address;
                if (known.LastUsed < today)
                {
                    byKey[key] = known with { LastUsed = today };
                    Version++;
                }
            }
            else
            {
                missing.Add(key);
            }
        }

        // In the order of their names, so that the order of arrival does not matter within a burst.
        missing.Sort(Compare);
        HashSet<AddressKey>? inUse = null;
        foreach (var key in missing)
        {
            var number = FindFree(key, taken) ?? Recycle(inUse ??= [.. wanted], taken);
            if (number is { } free)
            {
                var assignment = new AddressAssignment(key, FromNumber(free), today);
                byKey.Add(key, assignment);
                byAddress.Add(free, key);
                result[key] = assignment.Address;
                Version++;
            }
        }

        return result;
    }

    private uint? FindFree(AddressKey key, IReadOnlySet<IPAddress> taken)
    {
        if (byAddress.Count >= (size / 256 * 254) - 1)
        {
            return null;
        }

        var start = Hash(key) % size;
        for (uint step = 0; step < size; step++)
        {
            var number = network + ((start + step) % size);
            if (IsUsable(number) && !byAddress.ContainsKey(number) && !taken.Contains(FromNumber(number)))
            {
                return number;
            }
        }

        return null;
    }

    private uint? Recycle(HashSet<AddressKey> inUse, IReadOnlySet<IPAddress> taken)
    {
        var oldest = byKey.Values
            .Where(assignment => !inUse.Contains(assignment.Key) && !taken.Contains(assignment.Address))
            .OrderBy(assignment => assignment.LastUsed)
            .ThenBy(assignment => ToNumber(assignment.Address))
            .FirstOrDefault();
        if (oldest is null)
        {
            return null;
        }

        Release(oldest);
        return ToNumber(oldest.Address);
    }

    private void Release(AddressAssignment assignment)
    {
        byKey.Remove(assignment.Key);
        byAddress.Remove(ToNumber(assignment.Address));
        Version++;
    }

    /// <summary>Inside the range, not the server's, and not .0 or .255, which some programs take for a network's own or its broadcast address.</summary>
    private bool IsUsable(uint number) => number - network < size && number - network != ServerOffset && (number & 0xff) is not (0 or 0xff);

    /// <summary>FNV-1a, because it is the same in every process and version.</summary>
    private static uint Hash(AddressKey key)
    {
        return Add(Add(Add(2166136261u, key.Space), key.Namespace), key.Host);

        static uint Add(uint hash, string part)
        {
            foreach (var c in part)
            {
                hash = (hash ^ c) * 16777619u;
            }

            return (hash ^ '/') * 16777619u;
        }
    }

    private static int Compare(AddressKey a, AddressKey b)
    {
        var order = string.CompareOrdinal(a.Space, b.Space);
        order = order != 0 ? order : string.CompareOrdinal(a.Namespace, b.Namespace);
        return order != 0 ? order : string.CompareOrdinal(a.Host, b.Host);
    }

    private static uint ToNumber(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.TryWriteBytes(bytes, out var length) && length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;
    }

    private static IPAddress FromNumber(uint number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }
}
