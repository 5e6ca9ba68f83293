using System.Net;
using System.Net.Sockets;

namespace Fairlead.Platform.Capture;

public enum CaptureProtocol : byte
{
    /// <summary>The values are the IP protocol numbers.</summary>
    Tcp = 6,
    Udp = 17,
}

/// <summary>One captured destination. <paramref name="Address"/> is IPv4; <paramref name="Port"/> 0 stands for every port of that protocol.</summary>
public readonly record struct CaptureEntry(IPAddress Address, CaptureProtocol Protocol, ushort Port)
{
    public override string ToString() => $"{(Protocol == CaptureProtocol.Tcp ? "tcp" : "udp")}:{Address}:{(Port == 0 ? "*" : Port)}";
}

/// <summary>
/// What a capture takes: an immutable snapshot. Every address of an entry is owned. A port of an owned address that no entry
/// names is refused (TCP: RST, UDP: ICMP port unreachable); addresses that are not owned keep the host's own lookup.
/// </summary>
public sealed class CaptureTable
{
    public static readonly CaptureTable Empty = new([], []);

    private readonly HashSet<CaptureEntry> entries;
    private readonly HashSet<IPAddress> ownedAddresses;

    /// <param name="entries">Doubles are folded.</param>
    /// <param name="ownedAddresses">Owned beyond those of <paramref name="entries"/>: for example a service that lost its last port.</param>
    /// <exception cref="ArgumentException">An address is not an IPv4 unicast address.</exception>
    public CaptureTable(IEnumerable<CaptureEntry> entries, IEnumerable<IPAddress> ownedAddresses)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(ownedAddresses);
        this.entries = [.. entries];
        this.ownedAddresses = [.. ownedAddresses];
        foreach (var entry in this.entries)
        {
            this.ownedAddresses.Add(entry.Address);
        }

        foreach (var address in this.ownedAddresses)
        {
            if (address.AddressFamily != AddressFamily.InterNetwork || address.Equals(IPAddress.Any) || address.Equals(IPAddress.Broadcast)
                || address.Equals(IPAddress.Loopback))
            {
                throw new ArgumentException($"{address} can't be captured: an IPv4 address of our own is needed.", nameof(ownedAddresses));
            }
        }
    }

    public IReadOnlySet<CaptureEntry> Entries => entries;

    public IReadOnlySet<IPAddress> OwnedAddresses => ownedAddresses;

    /// <summary>The entry that takes a flow to this destination: the exact port first, then the wildcard port; null when it is refused.</summary>
    public CaptureEntry? Find(IPEndPoint destination, CaptureProtocol protocol)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var exact = new CaptureEntry(destination.Address, protocol, (ushort)destination.Port);
        var wildcard = exact with { Port = 0 };
        return entries.Contains(exact) ? exact : entries.Contains(wildcard) ? wildcard : null;
    }
}
