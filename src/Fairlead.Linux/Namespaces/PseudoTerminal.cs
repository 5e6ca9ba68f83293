using Microsoft.Win32.SafeHandles;

namespace Fairlead.Linux.Namespaces;

/// <summary>
/// The controlling side of a pseudo terminal (pty(7)). The other side is opened by its path, usually by <c>setsid --ctty</c>.
/// A read after the last process has closed its side (EIO) is the end of the stream.
/// </summary>
public sealed class PseudoTerminal : IDisposable
{
    private readonly SafeFileHandle master;

    private PseudoTerminal(SafeFileHandle master, string path)
    {
        this.master = master;
        Path = path;
        Stream = new TerminalStream(new FileStream(master, FileAccess.ReadWrite, bufferSize: 0, isAsync: false));
    }

    /// <summary>The terminal's device, for example <c>/dev/pts/3</c>.</summary>
    public string Path { get; }

    /// <summary>What the terminal shows (read) and what is typed (write).</summary>
    public Stream Stream { get; }

    /// <exception cref="IOException">No terminal can be had.</exception>
    public static PseudoTerminal Open()
    {
        var device = File.OpenHandle("/dev/ptmx", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var unlock = 0;
        var number = 0;
        if (NamespaceCalls.Control(device, NamespaceCalls.TerminalUnlock, ref unlock) != 0
            || NamespaceCalls.Control(device, NamespaceCalls.TerminalNumber, ref number) != 0)
        {
            var failure = NamespaceCalls.Failure("cannot open a pseudo terminal");
            device.Dispose();
            throw failure;
        }

        return new PseudoTerminal(device, $"/dev/pts/{number}");
    }

    /// <summary>Tells the programs on the other side their window's size, in characters.</summary>
    public void Resize(int columns, int rows)
    {
        var size = new NamespaceCalls.WindowSize { Columns = (ushort)columns, Rows = (ushort)rows };
        if (NamespaceCalls.Control(master, NamespaceCalls.TerminalSetSize, ref size) != 0)
        {
            throw NamespaceCalls.Failure("cannot resize a pseudo terminal");
        }
    }

    public void Dispose() => Stream.Dispose();

    private sealed class TerminalStream(FileStream inner) : Stream
    {
        private const int IoError = 5;      // EIO

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            try
            {
                return inner.Read(buffer, offset, count);
            }
            catch (IOException e) when (e.HResult == IoError)
            {
                return 0;
            }
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                return await inner.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException e) when (e.HResult == IoError)
            {
                return 0;
            }
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            inner.WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
