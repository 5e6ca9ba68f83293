using System.Threading.Tasks.Sources;

namespace Fairlead.Tunnel.Mux;

/// <summary>The sending half of a flow on a shared connection: what it may send, and what waits in its owner's memory until the writer has taken it.</summary>
/// <param name="flow">Its number.</param>
internal sealed class MuxSender(uint flow) : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _sent = new() { RunContinuationsAsynchronously = true };
    private FlowAbortedException? _failure;

    public uint Flow => flow;

    /// <summary>What may still be sent. Everything from here on is under the writer's lock, but <see cref="SentAsync"/>.</summary>
    public int Credit { get; set; } = MuxFlow.Window;

    /// <summary>What its owner wants to send and the writer has not taken.</summary>
    public ReadOnlyMemory<byte> Waiting { get; private set; }

    /// <summary>It has its place in the writer's queue.</summary>
    public bool Queued { get; set; }

    public void Wait(ReadOnlyMemory<byte> rest)
    {
        _sent.Reset();
        Waiting = rest;
    }

    /// <summary>The writer took some of what waited.</summary>
    public void Take(ReadOnlyMemory<byte> rest)
    {
        var waited = !Waiting.IsEmpty;
        Waiting = rest;
        if (waited && rest.IsEmpty)
        {
            _sent.SetResult(true);
        }
    }

    /// <summary>Nothing more is sent; whoever waits hears why. Once.</summary>
    public void Fail(FlowAbortedException reason)
    {
        _failure = reason;
        if (!Waiting.IsEmpty)
        {
            Waiting = default;
            _sent.SetException(MuxFlow.Again(reason));
        }
    }

    public void ThrowIfFailed()
    {
        if (_failure is { } failure)
        {
            throw MuxFlow.Again(failure);
        }
    }

    /// <summary>All that waited was taken.</summary>
    /// <exception cref="FlowAbortedException">The flow or the connection ended before.</exception>
    public ValueTask SentAsync() => new(this, _sent.Version);

    void IValueTaskSource.GetResult(short token) => _sent.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _sent.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _sent.OnCompleted(continuation, state, token, flags);
}
