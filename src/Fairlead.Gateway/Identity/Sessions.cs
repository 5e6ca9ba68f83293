using System.Collections.Concurrent;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Identity;

/// <summary>Everything that is open on behalf of somebody (connections, catalog streams, flows), so that it can be ended; counted per subject.</summary>
/// <param name="perSubject">How many of them one subject may have.</param>
/// <param name="total">How many there may be.</param>
internal sealed class Sessions(int perSubject, int total)
{
    private readonly ConcurrentDictionary<long, Session> open = new();
    private readonly Dictionary<string, int> counts = [];
    private readonly Lock gate = new();
    private long last;

    public int Count => open.Count;

    public IEnumerable<Session> All => open.Select(s => s.Value);

    /// <summary>Null when a limit is reached. The caller disposes it when the thing has ended.</summary>
    public Session? TryOpen(PeerIdentity peer)
    {
        lock (gate)
        {
            var count = counts.GetValueOrDefault(peer.Subject);
            if (count >= perSubject || open.Count >= total)
            {
                return null;
            }

            counts[peer.Subject] = count + 1;
        }

        var session = new Session(this, Interlocked.Increment(ref last), peer);
        open[session.Id] = session;
        return session;
    }

    /// <summary>Ends those whose owner matches.</summary>
    public int End(Predicate<PeerIdentity> match)
    {
        var ended = 0;
        foreach (var session in All)
        {
            if (match(session.Peer))
            {
                session.End();
                ended++;
            }
        }

        return ended;
    }

    private void Remove(Session session)
    {
        if (!open.TryRemove(session.Id, out _))
        {
            return;
        }

        lock (gate)
        {
            var count = counts[session.Peer.Subject] - 1;
            if (count == 0)
            {
                counts.Remove(session.Peer.Subject);
            }
            else
            {
                counts[session.Peer.Subject] = count;
            }
        }
    }

    internal sealed class Session(Sessions owner, long id, PeerIdentity peer) : IDisposable
    {
        // Not disposed: it has no timer, and End may come from another thread at any time.
        private readonly CancellationTokenSource ended = new();

        public long Id => id;

        public PeerIdentity Peer => peer;

        /// <summary>Cancelled when the gateway ends it.</summary>
        public CancellationToken Ended => ended.Token;

        /// <summary>What it is for, for whoever looks through <see cref="All"/>.</summary>
        public object? Tag { get; set; }

        public void End() => ended.Cancel();

        public void Dispose() => owner.Remove(this);
    }
}
