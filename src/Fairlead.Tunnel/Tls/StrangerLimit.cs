using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Fairlead.Tunnel.Tls;

/// <summary>
/// Bounds the connections of which nobody knows yet whose they are. Where there is no place left, one is taken from the source address that has most:
/// one source can only drive out itself. Within a source, work that was begun is finished first: many laptops may share an address, and if each newcomer
/// ended another's handshake none would ever be through. So a newcomer is turned away there, unless it meets one that has had its time. Which
/// one it meets is chance: if it were the oldest, that would be the one that is nearest to being through. Thread-safe.
/// </summary>
public sealed class StrangerLimit(int limit, TimeProvider time, Random? random = null)
{
    /// <summary>Who means well is through by then, or has given up: a laptop's own patience is no longer.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly Random random = random ?? Random.Shared;
    private readonly Dictionary<IPAddress, List<Place>> bySource = [];
    private int count;

    /// <summary>Takes a place until it is disposed.</summary>
    /// <param name="remote">Where the connection comes from.</param>
    /// <param name="end">Ends the connection to make room for another; called at most once, on the thread of the other. Must not throw.</param>
    /// <returns>False when there is no place for it: it is to be ended.</returns>
    public bool TryEnter(EndPoint? remote, Action end, [NotNullWhen(true)] out Place? place)
    {
        ArgumentNullException.ThrowIfNull(end);
        place = null;
        Place? victim = null;
        lock (gate)
        {
            var source = SourceOf(remote);
            if (count >= limit && (victim = Victim(source)) is null)
            {
                return false;
            }

            if (victim is not null)
            {
                Remove(victim);
            }

            if (!bySource.TryGetValue(source, out var places))
            {
                bySource[source] = places = [];
            }

            place = new Place(this, source, time.GetTimestamp(), end);
            places.Add(place);
            count++;
        }

        victim?.End();
        return true;
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

    /// <summary>Under the lock: who makes room for one more of a source; null when that one must go.</summary>
    private Place? Victim(IPAddress source)
    {
        var most = bySource.Values.MaxBy(places => places.Count)!;
        var one = most[random.Next(most.Count)];
        var own = bySource.TryGetValue(source, out var places) ? places.Count : 0;
        return own + 1 < most.Count || time.GetElapsedTime(one.Since) >= Patience ? one : null;
    }

    private void Remove(Place place)
    {
        if (bySource.TryGetValue(place.Source, out var places) && places.Remove(place))
        {
            count--;
            if (places.Count == 0)
            {
                bySource.Remove(place.Source);
            }
        }
    }

    /// <summary>Held by one connection while it is a stranger's.</summary>
    public sealed class Place : IDisposable
    {
        private readonly StrangerLimit owner;

        internal Place(StrangerLimit owner, IPAddress source, long since, Action end)
        {
            this.owner = owner;
            Source = source;
            Since = since;
            End = end;
        }

        internal IPAddress Source { get; }

        /// <summary>Timestamp of the entering.</summary>
        internal long Since { get; }

        internal Action End { get; }

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
