using System.Buffers;
using System.Runtime.CompilerServices;
using Fairlead.Tunnel.Direct;

namespace Fairlead.Tunnel.Http;

/// <summary>
/// A TCP flow in an HTTP/2 stream, the same at both ends but for the farewell: SocketsHttpHandler can't half-close an extended CONNECT and an
/// early dispose resets it, so both ends say FINAL_DATA in band, the gateway adds CLOSED, and only then the laptop disposes the stream.
/// </summary>
/// <param name="reset">Ends the HTTP stream at once.</param>
internal sealed class HttpFlow(CapsuleStream capsules, bool client, Action reset) : IHeadroomFlow
{
    /// <summary>How long the laptop waits for CLOSED: the far socket's buffer may be slow to drain.</summary>
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(30);

    private int _left;
    private bool _lastCapsule;
    private bool _readsCompleted;
    private bool _writesCompleted;
    private int _writing;
    private int _failure;
    private string _message = "";
    private int _disposed;

    public int Headroom => CapsuleHeader.FixedSize;

    public int MaxPayload => FrameHeader.MaxData;

    private bool Completed => _readsCompleted && _writesCompleted && Volatile.Read(ref _failure) == 0;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            while (_left == 0)
            {
                if (_lastCapsule)
                {
                    _readsCompleted = true;
                    return 0;
                }

                await NextCapsuleAsync(cancellationToken);
            }

            if (buffer.IsEmpty)
            {
                return 0;
            }

            var count = await capsules.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= count > 0 ? count : throw new FlowAbortedException(FlowFailure.LinkDown, "The stream ended inside a capsule.");
            return count;
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed(e);
        }
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            var count = Math.Min(buffer.Length, 64 * 1024);
            var copy = ArrayPool<byte>.Shared.Rent(Headroom + count);
            buffer[..count].CopyTo(copy.AsMemory(Headroom));
            await WriteWithHeadroomAsync(copy.AsMemory(0, Headroom + count), cancellationToken);
            ArrayPool<byte>.Shared.Return(copy);
            buffer = buffer[count..];
        }
    }

    public ValueTask WriteWithHeadroomAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        new CapsuleHeader(CapsuleType.Data, (ulong)(buffer.Length - Headroom)).WriteFixed(buffer.Span);
        return WriteCapsuleAsync(buffer, cancellationToken);
    }

    public async ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (!_writesCompleted)
        {
            await WriteCapsuleAsync(Empty(CapsuleType.FinalData), cancellationToken);
            _writesCompleted = true;
        }
    }

    public void Abort(FlowFailure failure) => Fail(failure, "The flow was reset here.", tellPeer: true);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        if (!Completed)
        {
            Abort(FlowFailure.Reset);
        }
        else
        {
            await FarewellAsync();
        }

        await capsules.DisposeAsync();
    }

    private async Task FarewellAsync()
    {
        using var patience = new CancellationTokenSource(FarewellTimeout);
        try
        {
            if (!client)
            {
                await capsules.WriteAsync(Empty(CapsuleType.Closed), patience.Token);
                return;
            }

            while (await capsules.ReadHeaderAsync(patience.Token) is { } header && header.Type != CapsuleType.Closed)
            {
                await capsules.SkipAsync(header.Length, patience.Token);
            }
        }
        catch (Exception e) when (IsFailure(e))
        {
            reset();
        }
    }

    private async ValueTask NextCapsuleAsync(CancellationToken cancellationToken)
    {
        var header = await capsules.ReadHeaderAsync(cancellationToken) ?? throw new FlowAbortedException(FlowFailure.LinkDown, "The stream ended before the flow did.");
        switch (header.Type)
        {
            case CapsuleType.Data or CapsuleType.FinalData:
                _left = (int)header.Length;
                _lastCapsule = header.Type == CapsuleType.FinalData;
                break;
            case CapsuleType.Abort:
                throw await AbortCapsule.ReadAsync(capsules, header, cancellationToken);
            default:
                throw new FlowAbortedException(FlowFailure.ProtocolError, "The peer sent a capsule that is out of place.");
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteCapsuleAsync(ReadOnlyMemory<byte> capsule, CancellationToken cancellationToken)
    {
        if (_writesCompleted)
        {
            throw new InvalidOperationException("Writes were completed.");
        }

        if (Interlocked.CompareExchange(ref _writing, 1, 0) != 0)
        {
            throw Volatile.Read(ref _failure) != 0 ? Failed(new IOException("The flow was aborted.")) : new InvalidOperationException("Another write is in progress.");
        }

        try
        {
            await capsules.WriteAsync(capsule, cancellationToken);
            Volatile.Write(ref _writing, 0);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed(e);
        }
    }

    private Exception Failed(Exception e)
    {
        switch (e)
        {
            case FlowAbortedException aborted:
                Fail(aborted.Failure, aborted.Message, tellPeer: aborted.Failure == FlowFailure.ProtocolError);
                break;
            case OperationCanceledException when Volatile.Read(ref _failure) == 0:
                Fail(FlowFailure.Reset, "The flow was cancelled here.", tellPeer: true);
                return e;
            default:
                Fail(FlowFailure.LinkDown, "The stream broke.", tellPeer: false);
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
        if (tellPeer && Interlocked.CompareExchange(ref _writing, 1, 0) == 0)
        {
            _ = TellAsync(failure, message);
        }
        else
        {
            reset();
        }
    }

    /// <summary>Bounded, and ends with the stream; the reset follows whatever happens.</summary>
    private async Task TellAsync(FlowFailure failure, string message)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await capsules.WriteAsync(AbortCapsule.Encode(new FlowRefusal(failure, message)), patience.Token);
        }
        catch (Exception e) when (IsFailure(e))
        {
            // It hears the reset instead.
        }
        finally
        {
            reset();
        }
    }

    private static byte[] Empty(ulong type)
    {
        var capsule = new byte[CapsuleHeader.FixedSize];
        new CapsuleHeader(type, 0).WriteFixed(capsule);
        return capsule;
    }

    private static bool IsFailure(Exception e) => e is OperationCanceledException or HttpRequestException || DirectConnection.IsConnectionFailure(e);
}
