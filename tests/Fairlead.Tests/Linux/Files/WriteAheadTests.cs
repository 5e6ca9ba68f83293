using System.Text;
using Fairlead.Linux.Files;

namespace Fairlead.Tests.Linux.Files;

public sealed class WriteAheadTests
{
    [Theory]
    [InlineData("old content", "newer")]
    [InlineData("short", "much longer content")]
    [InlineData("same length!", "SAME LENGTH?")]
    [InlineData("127.0.0.1 localhost\n", "127.0.0.1 localhost\n# more\n")]
    [InlineData("", "new")]
    [InlineData("old", "")]
    public void Write_cut_at_any_byte_is_found_torn_or_whole(string old, string @new)
    {
        byte[] before = Encoding.ASCII.GetBytes(old), after = Encoding.ASCII.GetBytes(@new);
        var ahead = new WriteAhead(before, after);
        for (var written = 0; written <= after.Length; written++)
        {
            byte[] current = [.. after[..written], .. before.Skip(written)];
            ahead.Judge(current).ShouldBe(
                current.AsSpan().SequenceEqual(before) || current.AsSpan().SequenceEqual(after) ? WriteAhead.Finding.Whole : WriteAhead.Finding.Torn);
        }
    }

    [Theory]
    [InlineData("somebody else's")]
    [InlineData("old conten")]
    [InlineData("old content and more")]
    [InlineData("oldXcontent")]
    [InlineData("")]
    public void Content_of_somebody_else_is_foreign(string current) =>
        new WriteAhead("old content"u8.ToArray(), "newest content"u8.ToArray()).Judge(Encoding.ASCII.GetBytes(current)).ShouldBe(WriteAhead.Finding.Foreign);

    [Fact]
    public void Record_survives_its_form_and_a_cut_one_is_none()
    {
        var octets = new WriteAhead("a\nb"u8.ToArray(), "c\n"u8.ToArray()).Format();
        var read = WriteAhead.Parse(octets).ShouldNotBeNull();
        read.Old.ToArray().ShouldBe("a\nb"u8.ToArray());
        read.New.ToArray().ShouldBe("c\n"u8.ToArray());
        for (var length = 0; length < octets.Length; length++)
        {
            WriteAhead.Parse(octets.AsMemory(0, length)).ShouldBeNull();
        }
    }
}
