using System.Buffers.Binary;
using System.Net;

namespace Fairlead.Sandbox.ApiServer;

/// <summary>The service addresses and node ports of the cluster.</summary>
/// <param name="Addresses">An IPv4 network; its first 256 addresses are given only when asked for, as Kubernetes does.</param>
/// <param name="FirstPort">The first node port; the first 86 are given only when asked for.</param>
/// <param name="LastPort">The last one.</param>
public sealed record ServiceRanges(IPNetwork Addresses, int FirstPort = 30_000, int LastPort = 32_767)
{
    private const int ReservedAddresses = 256;
    private const int ReservedPorts = 86;

    internal bool ContainsPort(long port) => port >= FirstPort && port <= LastPort;

    /// <summary>Null when the range is full.</summary>
    internal string? FreeAddress(Func<string, bool> isTaken)
    {
        var size = 1 << (32 - Addresses.PrefixLength);
        var reserved = size > 2 * ReservedAddresses ? ReservedAddresses : 1;
        var first = BinaryPrimitives.ReadUInt32BigEndian(Addresses.BaseAddress.GetAddressBytes());
        return Probe(reserved, size - 2).Select(offset => ToAddress(first + (uint)offset)).FirstOrDefault(address => !isTaken(address));
    }

    /// <summary>Null when the range is full.</summary>
    internal long? FreePort(Func<long, bool> isTaken)
    {
        var reserved = LastPort - FirstPort > 2 * ReservedPorts ? ReservedPorts : 0;
        return Probe(FirstPort + reserved, LastPort).Select(long? (port) => port).FirstOrDefault(port => !isTaken(port!.Value));
    }

    /// <summary>Every number once, from a random start on, so that a new service seldom gets what one just deleted had.</summary>
    private static IEnumerable<int> Probe(int first, int last)
    {
        var count = last - first + 1;
        var start = Random.Shared.Next(count);
        return Enumerable.Range(0, count).Select(i => first + ((start + i) % count));
    }

    private static string ToAddress(uint address)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, address);
        return new IPAddress(bytes).ToString();
    }
}
