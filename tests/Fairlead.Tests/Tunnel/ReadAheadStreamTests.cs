using Fairlead.Tunnel;

namespace Fairlead.Tests.Tunnel;

public sealed class ReadAheadStreamTests : IDisposable
{
    private readonly Pieces inner = new();
    private readonly ReadAheadStream stream;

    public ReadAheadStreamTests() => stream = new ReadAheadStream(inner);

    public void Dispose()
    {
        stream.Dispose();
        inner.Dispose();
    }

    [Fact]
    public async Task What_came_together_is_read_once_and_handed_up_in_pieces()
    {
        inner.Add([1, 2, 3, 4, 5]);
        var buffer = new byte[2];
        (await stream.ReadAsync(buffer)).ShouldBe(2);
        buffer.ShouldBe([1, 2]);
        stream.Buffered.ToArray().ShouldBe([3, 4, 5]);
        (await stream.ReadAsync(Memory<byte>.Empty)).ShouldBe(0);
        (await stream.ReadAsync(buffer)).ShouldBe(2);
        (await stream.ReadAsync(buffer)).ShouldBe(1);
        stream.Buffered.IsEmpty.ShouldBeTrue();
        inner.Reads.ShouldBe(1);
    }

    [Fact]
    public async Task Empty_read_waits_and_takes_nothing()
    {
        var waiting = stream.ReadAsync(Memory<byte>.Empty).AsTask();
        waiting.IsCompleted.ShouldBeFalse();
        inner.Add([9]);
        (await waiting).ShouldBe(0);
        (await stream.ReadAsync(new byte[4])).ShouldBe(1);
    }

    [Fact]
    public async Task Large_read_goes_to_the_inner_stream_at_once()
    {
        inner.Add(new byte[70_000]);
        (await stream.ReadAsync(new byte[70_000])).ShouldBe(70_000);
        stream.Buffered.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public async Task End_is_the_end()
    {
        inner.Add([]);
        (await stream.ReadAsync(new byte[4])).ShouldBe(0);
        inner.Add([]);
        (await stream.ReadAsync(new byte[4])).ShouldBe(0);
    }

    /// <summary>A stream whose reads give one piece each; an empty one is the end.</summary>
    private sealed class Pieces : DuplexStream
    {
        private readonly System.Threading.Channels.Channel<byte[]> pieces = System.Threading.Channels.Channel.CreateUnbounded<byte[]>();

        public int Reads { get; private set; }

        public void Add(byte[] piece) => pieces.Writer.TryWrite(piece);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await pieces.Reader.WaitToReadAsync(cancellationToken);
            if (buffer.IsEmpty)
            {
                return 0;
            }

            Reads++;
            var piece = await pieces.Reader.ReadAsync(cancellationToken);
            piece.CopyTo(buffer);
            return piece.Length;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }
}
