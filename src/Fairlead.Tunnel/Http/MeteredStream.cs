namespace Fairlead.Tunnel.Http;

/// <summary>A connection's bytes beneath TLS: counts them, and knows when the connection has ended. One read and one write at a time. Owns the stream.</summary>
internal sealed class MeteredStream(Stream inner) : DuplexStream
{
    private long _received;
    private long _sent;

    public long Received => Volatile.Read(ref _received);

    /// <summary>Both ways.</summary>
    public long Bytes => Received + Volatile.Read(ref _sent);

    public bool Ended { get; private set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            Ended |= count == 0 && !buffer.IsEmpty;
            Interlocked.Add(ref _received, count);
            return count;
        }
        catch
        {
            Ended = true;
            throw;
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await inner.WriteAsync(buffer, cancellationToken);
            Interlocked.Add(ref _sent, buffer.Length);
        }
        catch
        {
            Ended = true;
            throw;
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    protected override void Dispose(bool disposing)
    {
        Ended = true;
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
