namespace Fairlead.Tunnel.Tls;

/// <summary>
/// A TLS handshake computes for a millisecond, and a thousand laptops may come at once. Only so many compute at the same time, in the order in which their bytes came, and on threads of
/// the pool: established connections, which the event threads serve, wait for none of them. Waiting for the peer takes nobody's turn. Thread-safe.
/// </summary>
internal sealed class HandshakeTurns(int width) : IDisposable
{
    private readonly SemaphoreSlim _free = new(width);

    /// <summary>Half of the processors: the other half is for those who are through.</summary>
    public static HandshakeTurns OfHalfTheProcessors() => new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Returns on a thread of the pool, with a turn that <see cref="Leave"/> ends.</summary>
    public async Task EnterAsync(CancellationToken cancellationToken) => await _free.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    public void Leave() => _free.Release();

    /// <summary>Once nobody waits any more.</summary>
    public void Dispose() => _free.Dispose();
}
