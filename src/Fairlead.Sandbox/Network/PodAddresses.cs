using System.Net;

namespace Fairlead.Sandbox.Network;

/// <summary>
/// Pod addresses of 10.244.0.0/16. A released address is given out again only after all others, so that whoever still talks to a
/// vanished pod does not reach its successor.
/// </summary>
internal sealed class PodAddresses
{
    private const int First = 2;
    private const int Last = 0xfffe;

    private readonly Lock gate = new();
    private readonly HashSet<int> taken = [];
    private int next = First;

    /// <exception cref="InvalidOperationException">All 65 533 addresses are in use.</exception>
    internal IPAddress Take()
    {
        lock (gate)
        {
            for (var tries = First; tries <= Last; tries++)
            {
                var candidate = next;
                next = next == Last ? First : next + 1;
                if (taken.Add(candidate))
                {
                    return new IPAddress([10, 244, (byte)(candidate >> 8), (byte)candidate]);
                }
            }
        }

        throw new InvalidOperationException($"no address is left in {ClusterLayout.PodSubnet}");
    }

    internal void Release(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        lock (gate)
        {
            taken.Remove((bytes[2] << 8) | bytes[3]);
        }
    }
}
