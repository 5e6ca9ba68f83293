using Fairlead.Tunnel;

namespace Fairlead.Daemon.Companions;

/// <summary>The upgraded connection of a carrier. The request that it came by lasts until it is disposed. One read and one write at a time.</summary>
internal sealed class CarrierStream(Stream inner) : DuplexStream
{
    private readonly TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the carrier was disposed.</summary>
    public Task Closed => closed.Task;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await inner.WriteAsync(buffer, cancellationToken);
        await inner.FlushAsync(cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        closed.TrySetResult();
        base.Dispose(disposing);
    }
}
