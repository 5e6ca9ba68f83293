namespace Fairlead.Tunnel.Direct;

/// <summary>At most so many handshakes at a time; one more cancels the oldest: real clients finish in milliseconds, those that never mean to finish are the old ones.</summary>
internal sealed class HandshakeLimit(int limit)
{
    private readonly LinkedList<CancellationTokenSource> _running = [];

    public Slot Enter(CancellationTokenSource handshake)
    {
        CancellationTokenSource? oldest = null;
        LinkedListNode<CancellationTokenSource> node;
        lock (_running)
        {
            if (_running.Count >= limit)
            {
                oldest = _running.First!.Value;
                _running.RemoveFirst();
            }

            node = _running.AddLast(handshake);
        }

        try
        {
            oldest?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself in this moment.
        }

        return new Slot(this, node);
    }

    public readonly struct Slot(HandshakeLimit owner, LinkedListNode<CancellationTokenSource> node) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._running)
            {
                if (node.List is not null)
                {
                    owner._running.Remove(node);
                }
            }
        }
    }
}
