using System.Net;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Linux.Tun;

/// <summary>The objects for the ends of datagrams that were seen last, so that a stream of datagrams makes none. One thread.</summary>
internal sealed class EndPointCache
{
    private const int Size = 256;

    private readonly Entry[] entries = new Entry[Size];

    public (IPEndPoint Client, IPEndPoint Destination) Get(in FlowKey key)
    {
        ref var entry = ref entries[key.GetHashCode() & (Size - 1)];
        if (entry.Client is null || entry.Key != key)
        {
            entry = new Entry(key, key.ClientEndPoint, key.DestinationEndPoint);
        }

        return (entry.Client!, entry.Destination!);
    }

    private readonly record struct Entry(FlowKey Key, IPEndPoint? Client, IPEndPoint? Destination);
}
