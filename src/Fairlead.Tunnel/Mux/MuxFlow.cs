using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Fairlead.Tunnel.Mux;

/// <summary>
/// A flow on a shared connection, the same at both ends. Bytes that came wait in a pipe, never more than its window, because the peer sends no more
/// than it was given credit for; the window of a flow whose reader keeps up grows. Bytes that go wait in their owner's memory until the connection
/// has taken them.
/// </summary>
internal sealed class MuxFlow : IFlow
{
    /// <summary>Bytes that may be on their way to a reader who takes none, at first: throughput is this per round trip.</summary>
    public const int Window = 256 * 1024;

    /// <summary>As far as it grows: 1 Gbit/s at 32 ms.</summary>
    public const int LargestWindow = 4 * 1024 * 1024;

    private static readonly PipeOptions PipeOptions = new(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, resumeWriterThreshold: 0, useSynchronizationContext: false);

    private readonly MuxConnection _connection;
    private readonly Pipe _in = new(PipeOptions);
    private CancellationTokenSource? _gone;
    private int _window = Window;
    private int _mayCome = Window;
    private int _taken;
    private volatile bool _allCame;
    private bool _readsCompleted;
    private bool _writesCompleted;
    private volatile bool _aborted;
    private volatile FlowAbortedException? _failure;
    private int _disposed;

    public MuxFlow(MuxConnection connection, uint id)
    {
        _connection = connection;
        Sender = new MuxSender(id);
    }

    public uint Id => Sender.Flow;

    public MuxSender Sender { get; }

    /// <summary>The answer to the open, at the laptop's end.</summary>
    public TaskCompletionSource<FlowRefusal>? Answer { get; init; }

    /// <summary>Cancelled when it is over before its end.</summary>
    public CancellationToken Gone
    {
        get
        {
            var gone = new CancellationTokenSource();
            gone = Interlocked.CompareExchange(ref _gone, gone, null) ?? gone;
            if (_failure is not null)
            {
                gone.Cancel();
            }

            return gone.Token;
        }
    }

    private bool Completed => _readsCompleted && _writesCompleted && _failure is null;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_readsCompleted)
        {
            return 0;
        }

        ReadResult result;
        try
        {
            ThrowIfAborted();
            result = await _in.Reader.ReadAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Abort(FlowFailure.Reset);
            throw;
        }

        if (result.IsCanceled)
        {
            _in.Reader.AdvanceTo(result.Buffer.Start);
            throw Again(_failure!);
        }

        var count = (int)Math.Min(buffer.Length, result.Buffer.Length);
        if (count > 0)
        {
            var part = result.Buffer.Slice(0, count);
            part.CopyTo(buffer.Span);
            var all = count == result.Buffer.Length;
            _in.Reader.AdvanceTo(part.End);
            Took(count, all);
            return count;
        }

        _in.Reader.AdvanceTo(result.Buffer.Start);
        if (result.Buffer.IsEmpty && result.IsCompleted)
        {
            // What came before an abort was read first, as from a socket.
            if (!_allCame)
            {
                throw Again(_failure!);
            }

            _readsCompleted = true;
        }

        return 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_writesCompleted)
        {
            throw new InvalidOperationException("Writes were completed.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (buffer.IsEmpty || _connection.Writer.TrySend(Sender, buffer))
        {
            return;
        }

        await using (cancellationToken.UnsafeRegister(static flow => ((MuxFlow)flow!).Abort(FlowFailure.Reset), this))
        {
            try
            {
                await Sender.SentAsync();
            }
            catch (FlowAbortedException) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
        }
    }

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (!_writesCompleted)
        {
            _connection.Writer.SendFin(Sender);
            _writesCompleted = true;
        }

        return ValueTask.CompletedTask;
    }

    public void Abort(FlowFailure failure)
    {
        var reason = new FlowAbortedException(failure, "The flow was reset here.");
        if (Fail(reason))
        {
            _aborted = true;
            _connection.SendAbort(this, failure, "The other end reset the flow.");
            _in.Reader.CancelPendingRead();
        }
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _connection.Shrink(_window - Window);
            if (Completed)
            {
                _in.Reader.Complete();
                _connection.Forget(this);
            }
            else
            {
                // Its buffers are left to the collector: who reads or delivers at this moment may still use them.
                Abort(FlowFailure.Reset);
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Bytes for the reader, who hears of them at <see cref="Deliver"/>. Called by the connection's reader only, as the next three.</summary>
    /// <returns>False when the peer sends more than it may.</returns>
    public bool Receive(ReadOnlySpan<byte> data)
    {
        if (_allCame || Interlocked.Add(ref _mayCome, -data.Length) < 0)
        {
            return false;
        }

        data.CopyTo(_in.Writer.GetSpan(data.Length));
        _in.Writer.Advance(data.Length);
        return true;
    }

    /// <summary>The reader goes on, here and now, with what was received.</summary>
    public void Deliver()
    {
        var flushing = _in.Writer.FlushAsync(CancellationToken.None);
        if (!flushing.IsCompletedSuccessfully)
        {
            throw new InvalidOperationException("A pipe without a threshold made its writer wait.");
        }
    }

    /// <summary>The peer completed its writes.</summary>
    public void End()
    {
        _allCame = true;
        _in.Writer.Complete();
    }

    /// <summary>The peer or the connection ended it.</summary>
    public void End(FlowAbortedException reason)
    {
        Fail(reason);
        _in.Writer.Complete();
    }

    /// <summary>The same for each who asks: an exception that was thrown is not thrown again.</summary>
    public static FlowAbortedException Again(FlowAbortedException failure) => new(failure.Failure, failure.Message, failure);

    private void ThrowIfAborted()
    {
        if (_aborted)
        {
            throw Again(_failure!);
        }
    }

    /// <returns>False when it had failed before, or is complete.</returns>
    private bool Fail(FlowAbortedException reason)
    {
        if (Completed || Interlocked.CompareExchange(ref _failure, reason, null) is not null)
        {
            return false;
        }

        _connection.Writer.Drop(Sender, reason);
        Volatile.Read(ref _gone)?.Cancel();
        Answer?.TrySetResult(new FlowRefusal(reason.Failure, reason.Message));
        return true;
    }

    /// <summary>The reader took so many bytes: the peer may send as many again, unless it sends no more. Credit is given in portions, because each is a frame.</summary>
    private void Took(int count, bool all)
    {
        _taken += count;
        if (_taken < _window / 4 || _allCame)
        {
            return;
        }

        // A reader who waits for more each time is faster than the window lets the peer be.
        if (all && _window < LargestWindow && _connection.TryGrow(_window))
        {
            _taken += _window;
            _window *= 2;
        }

        Interlocked.Add(ref _mayCome, _taken);
        _connection.Writer.SendCredit(Id, _taken);
        _taken = 0;
    }
}
