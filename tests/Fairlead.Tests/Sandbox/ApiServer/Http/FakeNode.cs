using System.IO.Pipelines;
using System.Text;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

/// <summary>A node whose containers log one line, whose commands echo their input, and whose pods echo what is sent to them.</summary>
internal sealed class FakeNode : INodeAgent
{
    public Task<Stream> OpenLogAsync(ContainerId container, LogOptions options, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(new MemoryStream(Encoding.UTF8.GetBytes($"{container.Pod}/{container.Container} tail={options.TailLines}\n")));

    public Task<IExecSession> ExecAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken) =>
        request.Command[0] == "missing"
            ? throw new StatusException(500, "InternalError", "no such program")
            : Task.FromResult<IExecSession>(new Echo(exitCode: request.Command.Count > 1 ? int.Parse(request.Command[1]) : 0));

    public Task<IExecSession> AttachAsync(ContainerId container, ExecRequest request, CancellationToken cancellationToken) =>
        Task.FromResult<IExecSession>(new Echo(exitCode: 0));

    public Task<Stream> DialPodAsync(string @namespace, string pod, int port, CancellationToken cancellationToken) =>
        port == 81 ? throw new IOException("connection refused") : Task.FromResult<Stream>(new EchoStream());

    private sealed class Echo(int exitCode) : IExecSession
    {
        private readonly Pipe pipe = new();
        private readonly TaskCompletionSource<int> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Stream Stdin => new Ending(pipe.Writer.AsStream(), () => ended.TrySetResult(exitCode));

        public Stream Stdout => pipe.Reader.AsStream();

        public Stream Stderr => Stream.Null;

        public Task<int> ExitCode => ended.Task;

        public void Resize(int columns, int rows) => pipe.Writer.AsStream(leaveOpen: true).Write(Encoding.UTF8.GetBytes($"{columns}x{rows};"));

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class Ending(Stream inner, Action onEnd) : EchoStreamBase
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            await inner.FlushAsync(cancellationToken);
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            onEnd();
            await base.DisposeAsync();
        }
    }

    private sealed class EchoStream : EchoStreamBase
    {
        private readonly Pipe pipe = new();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await pipe.Writer.WriteAsync(buffer, cancellationToken);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            pipe.Reader.AsStream(leaveOpen: true).ReadAsync(buffer, cancellationToken);
    }

    private abstract class EchoStreamBase : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            // Nothing is held back.
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
