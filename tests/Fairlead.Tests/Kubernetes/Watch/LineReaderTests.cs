using System.Text;
using Fairlead.Kubernetes;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Kubernetes.Watch;

public sealed class LineReaderTests
{
    [Fact]
    public void Lines_are_the_same_however_the_bytes_arrive() =>
        Prop.ForAll<byte[], PositiveInt>((bytes, size) =>
        {
            var text = bytes.Select(b => (byte)(b % 3 == 0 ? '\n' : 'a' + (b % 26))).ToArray();
            var lines = ReadAsync(new TrickleStream(text, size.Get % 7 + 1), maxLength: 1000).GetAwaiter().GetResult();
            var complete = Encoding.ASCII.GetString(text).Split('\n')[..^1];
            lines.ShouldBe(complete.Where(l => l.Length > 0));
        }).Check(FsCheck.Config.QuickThrowOnFailure);

    [Fact]
    public async Task Half_a_line_at_the_end_is_no_line() =>
        (await ReadAsync(new MemoryStream("one\ntw"u8.ToArray()), 100)).ShouldBe(["one"]);

    [Theory]
    [InlineData("12345678901\n")]
    [InlineData("12345678901234567890")]
    public async Task Line_beyond_the_bound_is_an_error(string text) =>
        await Should.ThrowAsync<InvalidDataException>(() => ReadAsync(new TrickleStream(Encoding.ASCII.GetBytes(text), 3), 10));

    private static async Task<List<string>> ReadAsync(Stream stream, int maxLength)
    {
        var lines = new List<string>();
        await foreach (var line in LineReader.ReadAsync(stream, maxLength, default))
        {
            lines.Add(Encoding.ASCII.GetString(line.Span));
        }

        return lines;
    }

    /// <summary>Gives at most a few bytes a time.</summary>
    private sealed class TrickleStream(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, size)], cancellationToken);
    }
}
