using System.IO.Pipelines;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Sandbox.Nodes;

/// <summary>A command in a container. Owns the process.</summary>
internal sealed class ExecSession(ContainerProcess process, ExecRequest request) : IExecSession
{
    public Stream Stdin => request.Stdin ? process.Stdin : Stream.Null;

    public Stream Stdout => request.Stdout || request.Tty ? process.Stdout : Stream.Null;

    public Stream Stderr => request.Stderr ? process.Stderr : Stream.Null;

    public Task<int> ExitCode => process.Exited;

    public void Resize(int columns, int rows) => process.Resize(columns, rows);

    public ValueTask DisposeAsync() => process.DisposeAsync();
}

/// <summary>The streams of a container's own process; disposing it leaves the container alone.</summary>
internal sealed class AttachSession : IExecSession
{
    private readonly ContainerProcess process;
    private readonly bool takesInput;

    internal AttachSession(ContainerProcess process, ContainerOutput output, ExecRequest request, bool takesInput)
    {
        this.process = process;
        this.takesInput = takesInput && request.Stdin;
        Stdout = request.Stdout || request.Tty ? output.Attach("stdout") : Stream.Null;
        Stderr = request.Stderr && !request.Tty ? output.Attach("stderr") : Stream.Null;
    }

    public Stream Stdin => takesInput ? process.Stdin : Stream.Null;

    public Stream Stdout { get; }

    public Stream Stderr { get; }

    public Task<int> ExitCode => process.Exited;

    public void Resize(int columns, int rows) => process.Resize(columns, rows);

    public async ValueTask DisposeAsync()
    {
        await Stdout.DisposeAsync();
        await Stderr.DisposeAsync();
    }
}

/// <summary>A container's log as a stream. Disposing it ends the copying, also while it follows.</summary>
internal sealed class LogStream : Stream
{
    private readonly Pipe pipe = new();
    private readonly CancellationTokenSource stop = new();
    private readonly Stream reader;
    private readonly Task copying;
    private int disposed;

    internal LogStream(ContainerLog log, LogOptions options)
    {
        reader = pipe.Reader.AsStream();
        copying = CopyAsync(log, options);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => reader.Read(buffer, offset, count);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => reader.ReadAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        reader.ReadAsync(buffer, offset, count, cancellationToken);

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            await stop.CancelAsync();
            await reader.DisposeAsync();
            await copying;
            stop.Dispose();
        }

        await base.DisposeAsync();
    }

    /// <summary>Without waiting for the copying, which ends by itself: prefer <see cref="DisposeAsync"/>.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref disposed, 1) == 0)
        {
            stop.Cancel();
            reader.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task CopyAsync(ContainerLog log, LogOptions options)
    {
        Exception? failure = null;
        try
        {
            await using var writer = pipe.Writer.AsStream(leaveOpen: true);
            await log.CopyToAsync(writer, options, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nobody reads any more.
        }
        catch (IOException e)
        {
            failure = e;
        }

        await pipe.Writer.CompleteAsync(failure);
    }
}
