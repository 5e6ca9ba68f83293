using System.IO.Pipelines;

namespace Fairlead.Kubernetes;

/// <summary>
/// One channel of a <see cref="ChannelSocket"/> as a stream. What was received is read before an end or a failure shows. Either way may
/// be missing: exec's stdout can't be written, its stdin can't be read.
/// </summary>
internal sealed class ChannelStream(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask>? send, bool readable) : PodStream
{
    /// <summary>Bytes that wait for the reader before the socket isn't read any more.</summary>
    private const int MaxWaiting = 256 * 1024;

    /// <summary>Whoever waits for bytes goes on in the loop that brings them: another thread would cost a small request as much as a system call each way.</summary>
    private readonly Pipe _received = new(new PipeOptions(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: MaxWaiting, resumeWriterThreshold: MaxWaiting / 2, useSynchronizationContext: false));

    private volatile Exception? _failure;

    public override bool CanRead => readable;

    public override bool CanWrite => send is not null;

    /// <summary>Bytes came. Waits while too much is unread; once the reader has disposed the stream they go nowhere.</summary>
    public async ValueTask ReceiveAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        await _received.Writer.WriteAsync(data, cancellationToken);

    /// <summary>Nothing more comes; a reader sees the failure after the last byte.</summary>
    public void End(Exception? failure)
    {
        _failure ??= failure;
        _received.Writer.Complete();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!readable)
        {
            throw new NotSupportedException();
        }

        var result = await _received.Reader.ReadAsync(cancellationToken);
        var available = result.Buffer;
        if (available.IsEmpty && result.IsCompleted)
        {
            _received.Reader.AdvanceTo(available.Start);
            return _failure is { } failure ? throw new IOException(failure.Message, failure) : 0;
        }

        var part = available.Slice(0, Math.Min(available.Length, buffer.Length));
        var position = 0;
        foreach (var segment in part)
        {
            segment.CopyTo(buffer[position..]);
            position += segment.Length;
        }

        _received.Reader.AdvanceTo(part.End);
        return position;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        send is null ? throw new NotSupportedException() : buffer.IsEmpty ? default : send(buffer, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _received.Reader.Complete();
        }

        base.Dispose(disposing);
    }
}
