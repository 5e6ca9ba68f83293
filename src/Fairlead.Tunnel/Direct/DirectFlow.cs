using System.Buffers;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel.Direct;

/// <summary>A flow that can take a payload with room before it, so that it needn't copy it to put a header there.</summary>
internal interface IHeadroomFlow : IFlow
{
    /// <summary>Bytes to leave before the payload.</summary>
    int Headroom { get; }

    /// <summary>Payload bytes that one write may hold at most.</summary>
    int MaxPayload { get; }

    /// <param name="buffer"><see cref="Headroom"/> bytes that will be overwritten, then the payload.</param>
    ValueTask WriteWithHeadroomAsync(Memory<byte> buffer, CancellationToken cancellationToken);
}

/// <summary>
/// A flow on a direct connection, the same at both ends. When both directions completed, disposing leaves the connection usable
/// (<see cref="Completed"/>); else it resets it. A cancelled read or write resets it too.
/// </summary>
internal sealed class DirectFlow(DirectConnection connection, Action<DirectFlow>? ended = null) : IHeadroomFlow
{
    private static readonly byte[] Fin = FinFrame();

    private int _left;
    private bool _readsCompleted;
    private bool _writesCompleted;
    private int _failure;
    private string _message = "";
    private int _disposed;

    public DirectConnection Connection => connection;

    /// <summary>Both ends completed their writes and nothing failed: the connection can serve the next flow.</summary>
    public bool Completed => _readsCompleted && _writesCompleted && Volatile.Read(ref _failure) == 0;

    public int Headroom => FrameHeader.Size;

    public int MaxPayload => FrameHeader.MaxData;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            if (_left == 0 && !await NextFrameAsync(cancellationToken))
            {
                return 0;
            }

            var filled = 0;
            while (filled < buffer.Length)
            {
                var count = await connection.ReadAsync(buffer.Slice(filled, Math.Min(buffer.Length - filled, _left)), cancellationToken);
                if (count == 0)
                {
                    throw new FlowAbortedException(FlowFailure.LinkDown, "The connection ended inside a frame.");
                }

                filled += count;
                _left -= count;
                if (_left == 0 || !connection.HasRecord)
                {
                    break;
                }
            }

            return filled;
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            throw Failed(e);
        }
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            var count = Math.Min(buffer.Length, (64 * 1024) - FrameHeader.Size);
            var copy = ArrayPool<byte>.Shared.Rent(FrameHeader.Size + count);
            buffer[..count].CopyTo(copy.AsMemory(FrameHeader.Size));
            await WriteWithHeadroomAsync(copy.AsMemory(0, FrameHeader.Size + count), cancellationToken);
            ArrayPool<byte>.Shared.Return(copy);
            buffer = buffer[count..];
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteWithHeadroomAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_writesCompleted)
        {
            throw new InvalidOperationException("Writes were completed.");
        }

        new FrameHeader(FrameType.Data, buffer.Length - FrameHeader.Size).Write(buffer.Span);
        try
        {
            await connection.WriteAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            throw Failed(e);
        }
    }

    public async ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (_writesCompleted)
        {
            return;
        }

        try
        {
            await connection.WriteAsync(Fin, cancellationToken);
            _writesCompleted = true;
        }
        catch (Exception e) when (e is OperationCanceledException || DirectConnection.IsConnectionFailure(e))
        {
            throw Failed(e);
        }
    }

    public void Abort(FlowFailure failure) => Fail(failure, "The flow was reset here.", tellPeer: true);

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return ValueTask.CompletedTask;
        }

        if (!Completed)
        {
            Abort(FlowFailure.Reset);
        }

        ended?.Invoke(this);
        return ValueTask.CompletedTask;
    }

    /// <returns>False when no data follows.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> NextFrameAsync(CancellationToken cancellationToken)
    {
        if (_readsCompleted)
        {
            return false;
        }

        var header = await connection.ReadHeaderAsync(cancellationToken);
        switch (header.Type)
        {
            case FrameType.Data:
                _left = header.Length;
                return true;
            case FrameType.Fin:
                _readsCompleted = true;
                return false;
            case FrameType.Abort:
                var reason = FrameCodec.ParseOutcome(await connection.ReadPayloadAsync(header, cancellationToken));
                throw new FlowAbortedException(reason.Failure == FlowFailure.None ? FlowFailure.Reset : reason.Failure, reason.Message);
            case FrameType.End:
                throw new FlowAbortedException(FlowFailure.LinkDown, "The connection ended before the flow did.");
            default:
                throw new FlowAbortedException(FlowFailure.ProtocolError, $"The peer sent {header.Type} inside a flow.");
        }
    }

    private Exception Failed(Exception e)
    {
        switch (e)
        {
            case OperationCanceledException:
                Fail(FlowFailure.Reset, "The flow was cancelled here.", tellPeer: true);
                return e;
            case FlowAbortedException aborted:
                Fail(aborted.Failure, aborted.Message, tellPeer: aborted.Failure == FlowFailure.ProtocolError);
                break;
            default:
                Fail(FlowFailure.LinkDown, "The connection broke.", tellPeer: false);
                break;
        }

        return new FlowAbortedException((FlowFailure)Volatile.Read(ref _failure), _message, e);
    }

    private void Fail(FlowFailure failure, string message, bool tellPeer)
    {
        if (Interlocked.CompareExchange(ref _failure, (int)failure, 0) != 0)
        {
            return;
        }

        _message = message;
        if (tellPeer)
        {
            connection.Abort(failure, message);
        }
        else
        {
            connection.Close();
        }
    }

    private static byte[] FinFrame()
    {
        var frame = new byte[FrameHeader.Size];
        new FrameHeader(FrameType.Fin, 0).Write(frame);
        return frame;
    }
}
