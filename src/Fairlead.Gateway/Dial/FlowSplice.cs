using System.Buffers;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Dial;

/// <summary>Moves bytes between two flows, each way until its end; a reset of one resets the other.</summary>
internal static class FlowSplice
{
    private const int BufferSize = 64 * 1024;

    /// <summary>The caller disposes both.</summary>
    public static async Task RunAsync(IFlow one, IFlow other, CancellationToken cancellationToken) =>
        await Task.WhenAll(CopyAsync(one, other, cancellationToken), CopyAsync(other, one, cancellationToken));

    private static async Task CopyAsync(IFlow from, IFlow to, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                // Waits without a buffer: most flows are idle most of the time.
                await from.ReadAsync(Memory<byte>.Empty, cancellationToken);
                var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
                var count = await from.ReadAsync(buffer, cancellationToken);
                if (count == 0)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    await to.CompleteWritesAsync(cancellationToken);
                    return;
                }

                await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        catch (FlowAbortedException e)
        {
            from.Abort(e.Failure);
            to.Abort(e.Failure);
        }
    }
}
