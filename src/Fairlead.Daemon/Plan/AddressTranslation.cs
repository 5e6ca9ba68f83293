using System.Net;

namespace Fairlead.Daemon.Plan;

/// <summary>
/// Which local address stands for which address of the cluster: names are answered with <see cref="ToLocal"/>, flows are dialled to
/// <see cref="ToReal"/>. What no plan translates stands for itself. A snapshot: a new plan has a new one. Thread-safe.
/// </summary>
internal sealed class AddressTranslation
{
    public static readonly AddressTranslation None = new([]);

    private readonly TranslatedSubnet[] byReal;
    private readonly IPNetwork[] tabled;
    private readonly AddressTable? table;

    /// <param name="subnets">Where two overlap on the real side, the smaller one wins; on the local side none do.</param>
    public AddressTranslation(IEnumerable<TranslatedSubnet> subnets)
        : this(subnets, [], null)
    {
    }

    /// <param name="tabled">Subnets whose addresses are translated one by one.</param>
    /// <param name="table">Outlives the snapshot: another plan goes on with it. Null when there is no such subnet.</param>
    public AddressTranslation(IEnumerable<TranslatedSubnet> subnets, IEnumerable<IPNetwork> tabled, AddressTable? table)
    {
        byReal = [.. subnets.OrderByDescending(subnet => subnet.Real.PrefixLength)];
        this.tabled = [.. tabled];
        this.table = table;
    }

    /// <summary>Nothing overlaps on the local side.</summary>
    public IReadOnlyList<TranslatedSubnet> Subnets => byReal;

    /// <summary>The address by which local programs reach this address of the cluster.</summary>
    public IPAddress ToLocal(IPAddress real)
    {
        foreach (var subnet in byReal)
        {
            if (subnet.Real.Contains(real))
            {
                return Move(real, subnet.Local);
            }
        }

        return table is not null && tabled.Any(subnet => subnet.Contains(real)) ? table.ToLocal(real) : real;
    }

    /// <summary>The address of the cluster that a local program means. Null: a virtual address that stands for nothing.</summary>
    public IPAddress? ToReal(IPAddress local)
    {
        foreach (var subnet in byReal)
        {
            if (subnet.Local.Contains(local))
            {
                return Move(local, subnet.Real);
            }
        }

        return table is not null && table.Block.Contains(Prefix.Of(local)) ? table.ToReal(local) : local;
    }

    /// <summary>The same offset in a network of the same size.</summary>
    private static IPAddress Move(IPAddress address, IPNetwork into)
    {
        Span<byte> bytes = stackalloc byte[16];
        Span<byte> start = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        into.BaseAddress.TryWriteBytes(start, out _);
        for (var (i, bits) = (0, into.PrefixLength); i < length && bits > 0; i++, bits -= 8)
        {
            var mask = bits >= 8 ? (byte)0xff : (byte)(0xff << (8 - bits));
            bytes[i] = (byte)((start[i] & mask) | (bytes[i] & ~mask));
        }

        return new IPAddress(bytes[..length]);
    }
}

/// <summary>A subnet of the cluster and the virtual one of the same size and family that stands for it, address by address.</summary>
internal sealed record TranslatedSubnet(IPNetwork Real, IPNetwork Local);
