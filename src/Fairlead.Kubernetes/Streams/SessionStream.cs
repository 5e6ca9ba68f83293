namespace Fairlead.Kubernetes;

/// <summary>The only port of a session, which goes with it.</summary>
internal sealed class SessionStream(PortForwardSession session) : PodStream
{
    private readonly Stream _port = session.Ports[0].Stream;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _port.ReadAsync(buffer, cancellationToken);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _port.WriteAsync(buffer, cancellationToken);

    public override async ValueTask DisposeAsync()
    {
        await session.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <summary>Not waited for where the caller can't wait: it ends within a second and never fails.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ = session.DisposeAsync().AsTask();
        }

        base.Dispose(disposing);
    }
}
