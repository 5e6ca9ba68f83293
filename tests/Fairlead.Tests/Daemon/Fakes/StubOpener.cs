using System.IO.Pipelines;
using System.Threading.Channels;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Daemon.Fakes;

/// <summary>Opens flows to the test itself, or refuses, hangs or fails as it is told.</summary>
internal sealed class StubOpener : IFlowOpener
{
    private int opens;

    public FlowRefusal? Refusal { get; set; }

    public bool Hang { get; set; }

    public Exception? Defect { get; set; }

    public FlowTarget? Target { get; private set; }

    public int Opens => Volatile.Read(ref opens);

    public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<StubFlow> Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource<StubDatagramFlow> OpenedDatagrams { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) =>
        OpenAsync<IFlow, StubFlow>(target, new StubFlow(), Opened, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        OpenAsync<IDatagramFlow, StubDatagramFlow>(target, new StubDatagramFlow(), OpenedDatagrams, cancellationToken);

    private async ValueTask<FlowOpening<T>> OpenAsync<T, TFlow>(FlowTarget target, TFlow flow, TaskCompletionSource<TFlow> opened, CancellationToken cancellationToken)
        where T : class
        where TFlow : class, T
    {
        Target = target;
        Interlocked.Increment(ref opens);
        Asked.TrySetResult();
        if (Hang)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }

        if (Defect is not null)
        {
            throw Defect;
        }

        if (Refusal is not null)
        {
            return new FlowOpening<T>(null, Refusal);
        }

        opened.TrySetResult(flow);
        return new FlowOpening<T>(flow, null);
    }
}

/// <summary>A flow whose other end is the test.</summary>
internal sealed class StubFlow : IFlow
{
    private readonly Pipe fromApplication = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TaskCompletionSource Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the application sent.</summary>
    public async Task<byte[]> ReceiveAsync(int length)
    {
        var bytes = new byte[length];
        await fromApplication.Reader.AsStream(leaveOpen: true).ReadExactlyAsync(bytes);
        return bytes;
    }

    /// <summary>The far side completes its writes.</summary>
    public void End() => ended.TrySetResult();

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await ended.Task.WaitAsync(cancellationToken);
        return 0;
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => await fromApplication.Writer.WriteAsync(buffer, cancellationToken);

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        Completed.TrySetResult();
        return ValueTask.CompletedTask;
    }

    public void Abort(FlowFailure failure) => ended.TrySetException(new FlowAbortedException(failure, "aborted"));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A UDP association whose other end is the test.</summary>
internal sealed class StubDatagramFlow : IDatagramFlow
{
    private readonly Queue<byte[]> taken = [];

    /// <summary>Flushed.</summary>
    public Channel<byte[]> Sent { get; } = Channel.CreateUnbounded<byte[]>();

    public Channel<byte[]> Answers { get; } = Channel.CreateUnbounded<byte[]>();

    public TaskCompletionSource Disposed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool HasDatagram => Answers.Reader.Count > 0;

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var datagram = await Answers.Reader.ReadAsync(cancellationToken);
        datagram.CopyTo(buffer);
        return datagram.Length;
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default)
    {
        taken.Enqueue(datagram.ToArray());
        return ValueTask.CompletedTask;
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        while (taken.TryDequeue(out var datagram))
        {
            Sent.Writer.TryWrite(datagram);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default) => DisposeAsync();

    public ValueTask DisposeAsync()
    {
        Disposed.TrySetResult();
        return ValueTask.CompletedTask;
    }
}
