using System.Net;
using System.Net.Sockets;

namespace Fairlead.Tunnel.Tls;

/// <summary>
/// Bounds the connections of which nobody knows yet whose they are. One more than the limit ends the oldest of the source address that has most of
/// them: whoever means well is through in milliseconds and has few, so that one source can only drive out itself. Thread-safe.
/// </summary>
public sealed class StrangerLimit(int limit)
{
    private readonly Lock gate = new();
    private readonly Dictionary<IPAddress, LinkedList<Place>> bySource = [];
    private int count;
    private long entered;

    /// <summary>Takes a place until it is disposed.</summary>
    /// <param name="remote">Where the connection comes from.</param>
    /// <param name="end">Ends the connection to make room for another; called at most once, on the thread of the other. Must not throw.</param>
    public Place Enter(EndPoint? remote, Action end)
    {
        ArgumentNullException.ThrowIfNull(end);
        Place? victim = null;
        Place place;
        lock (gate)
        {
            if (count >= limit)
            {
                victim = bySource.Values.MaxBy(places => (places.Count, -places.First!.Value.Number))!.First!.Value;
                Remove(victim);
            }

            var source = SourceOf(remote);
            if (!bySource.TryGetValue(source, out var places))
            {
                bySource[source] = places = [];
            }

            place = new Place(this, source, entered++, end);
            place.Node = places.AddLast(place);
            count++;
        }

        victim?.End();
        return place;
    }

    /// <summary>One household or host is given a whole /64 in IPv6 (RFC 6177).</summary>
    private static IPAddress SourceOf(EndPoint? remote)
    {
        var address = (remote as IPEndPoint)?.Address ?? IPAddress.None;
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }

    private void Remove(Place place)
    {
        if (place.Node is not { } node)
        {
            return;
        }

        place.Node = null;
        var places = bySource[place.Source];
        places.Remove(node);
        if (places.Count == 0)
        {
            bySource.Remove(place.Source);
        }

        count--;
    }

    /// <summary>Held by one connection while it is a stranger's.</summary>
    public sealed class Place : IDisposable
    {
        private readonly StrangerLimit owner;

        internal Place(StrangerLimit owner, IPAddress source, long number, Action end)
        {
            this.owner = owner;
            Source = source;
            Number = number;
            End = end;
        }

        internal IPAddress Source { get; }

        /// <summary>In the order of entering.</summary>
        internal long Number { get; }

        internal Action End { get; }

        /// <summary>Null once it was left.</summary>
        internal LinkedListNode<Place>? Node { get; set; }

        /// <summary>Leaves the place; again is fine.</summary>
        public void Dispose()
        {
            lock (owner.gate)
            {
                owner.Remove(this);
            }
        }
    }
}
