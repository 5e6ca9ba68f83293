using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Fairlead.Tunnel.Http;

/// <summary>A Kestrel transport whose connections are byte streams that somebody else made: TLS and HTTP/2 run on them as on any socket.</summary>
/// <typeparam name="TEndPoint">The kind of endpoint that it serves.</typeparam>
internal sealed class StreamListenerFactory<TEndPoint> : IConnectionListenerFactory, IConnectionListenerFactorySelector
    where TEndPoint : EndPoint
{
    public StreamListener? Listener { get; private set; }

    public bool CanBind(EndPoint endpoint) => endpoint is TEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        Listener = new StreamListener(endpoint);
        return ValueTask.FromResult<IConnectionListener>(Listener);
    }
}

internal sealed class StreamListener(EndPoint endpoint) : IConnectionListener
{
    /// <summary>Kestrel accepts at once; more than this waiting means that it has stopped.</summary>
    private const int Backlog = 512;

    private readonly Channel<ConnectionContext> _accepted = Channel.CreateBounded<ConnectionContext>(new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.Wait });

    public EndPoint EndPoint => endpoint;

    /// <returns>False when the listener is full or closed.</returns>
    public bool TryOffer(ConnectionContext connection) => _accepted.Writer.TryWrite(connection);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _accepted.Reader.WaitToReadAsync(cancellationToken) && _accepted.Reader.TryRead(out var connection) ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _accepted.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => UnbindAsync();
}

/// <summary>One stream as a connection of Kestrel. Owns it.</summary>
internal sealed class StreamConnection : ConnectionContext, IDuplexPipe
{
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _gone = new();
    private readonly Stream _stream;
    private int _disposed;

    public StreamConnection(Stream stream, EndPoint? remote)
    {
        _stream = stream;
        RemoteEndPoint = remote;
        Input = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 32 * 1024, leaveOpen: true));
        Output = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        Transport = this;
        Features.Set(this);
        ConnectionClosed = _gone.Token;
    }

    /// <summary>Completes when Kestrel is done with it.</summary>
    public Task Closed => _closed.Task;

    public PipeReader Input { get; }

    public PipeWriter Output { get; }

    public override string ConnectionId { get; set; } = Guid.NewGuid().ToString("N");

    public override EndPoint? RemoteEndPoint { get; set; }

    public override Microsoft.AspNetCore.Http.Features.IFeatureCollection Features { get; } = new Microsoft.AspNetCore.Http.Features.FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport { get; set; }

    public override void Abort(ConnectionAbortedException abortReason) => Abort();

    public override void Abort()
    {
        _stream.Dispose();
        _closed.TrySetResult();
    }

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await _gone.CancelAsync();
            Abort();
        }

        await base.DisposeAsync();
    }
}
