using System.Net;
using System.Threading.Channels;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Dial;

/// <summary>A flow as a laptop would open it, without a carrier.</summary>
internal sealed class FakeFlow(string host, int port, string subject = "invite:alice") : IIncomingFlow
{
    private readonly TaskCompletionSource accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PeerIdentity Peer { get; } = new(subject, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));

    public EndPoint? RemoteEndPoint => null;

    public FlowTarget Target { get; } = new(TransportProtocol.Tcp, host, port);

    public FakeStream Stream { get; } = new();

    public FlowRefusal? Refusal { get; private set; }

    public Task Accepted => accepted.Task;

    public ValueTask<IFlow> AcceptAsync(CancellationToken cancellationToken)
    {
        accepted.TrySetResult();
        return ValueTask.FromResult<IFlow>(Stream);
    }

    public ValueTask<IDatagramFlow> AcceptDatagramsAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("TCP");

    public ValueTask RefuseAsync(FlowRefusal refusal, CancellationToken cancellationToken)
    {
        Refusal = refusal;
        return ValueTask.CompletedTask;
    }
}

/// <summary>Its laptop says nothing, and keeps what it hears.</summary>
internal sealed class FakeStream : IFlow
{
    private readonly Channel<byte[]> writes = Channel.CreateUnbounded<byte[]>();
    private readonly TaskCompletionSource<int> end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task<byte[]> NextWriteAsync() => await writes.Reader.ReadAsync().AsTask().WaitAsync(Limit);

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => await end.Task.WaitAsync(cancellationToken);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => writes.Writer.WriteAsync(buffer.ToArray(), cancellationToken);

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public void Abort(FlowFailure failure) => end.TrySetException(new FlowAbortedException(failure, "reset"));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
