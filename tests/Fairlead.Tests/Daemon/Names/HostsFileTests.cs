using System.Net;
using System.Text;
using Fairlead.Daemon.Names;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Daemon.Names;

public sealed class HostsFileTests
{
    private const string Header = "###\n# FAIRLEAD\n# This section is managed by Fairlead. Do not edit manually.\n";
    private const string Footer = "# /FAIRLEAD\n###\n";

    private static readonly IPNetwork[] Ranges = [IPNetwork.Parse("127.72.0.0/14")];

    private static readonly HostsEntry[] Entries =
    [
        new(IPAddress.Parse("127.72.1.1"), ["frontend.shop", "frontend.shop.svc"]),
        new(IPAddress.Parse("127.73.2.2"), ["redis.shop"]),
    ];

    private const string Lines = "127.72.1.1 frontend.shop frontend.shop.svc\n127.73.2.2 redis.shop\n";

    [Fact]
    public void With_puts_the_section_at_the_end() => With("127.0.0.1 localhost\n").ShouldBe("127.0.0.1 localhost\n" + Header + Lines + Footer);

    [Fact]
    public void With_empty_file_is_only_the_section() => With("").ShouldBe(Header + Lines + Footer);

    [Fact]
    public void With_keeps_an_unterminated_last_line_last() =>
        With("127.0.0.1 localhost\n10.0.0.1 a").ShouldBe("127.0.0.1 localhost\n" + Header + Lines + Footer + "10.0.0.1 a");

    [Fact]
    public void With_writes_line_ends_as_the_file_has_them() =>
        With("127.0.0.1 localhost\r\n").ShouldBe(("127.0.0.1 localhost\n" + Header + Lines + Footer).Replace("\n", "\r\n"));

    [Fact]
    public void With_replaces_the_section_where_it_is() =>
        With("a\n" + Header + "127.72.9.9 old.shop\n" + Footer + "b\n").ShouldBe("a\n" + Header + Lines + Footer + "b\n");

    [Fact]
    public void With_folds_several_sections_into_the_first() =>
        With("a\n" + Header + Lines + Footer + "b\n" + Header + Lines + Footer + "c\n").ShouldBe("a\n" + Header + Lines + Footer + "b\nc\n");

    [Fact]
    public void With_nothing_takes_the_section_out() => Text(Parse("a\n" + Header + Lines + Footer + "b\n").With([])).ShouldBe("a\nb\n");

    [Fact]
    public void With_is_idempotent()
    {
        var once = Parse("a\n").With(Entries);
        HostsFile.Parse(once, Ranges).With(Entries).ShouldBe(once);
    }

    [Theory]
    [InlineData("a\n" + Header + "10.1.1.1 mine\n127.72.1.1 frontend.shop\n" + Footer + "b\n", "a\n10.1.1.1 mine\nb\n")] // a foreign line inside
    [InlineData("a\n" + Header + "127.72.1.1 frontend.shop # keep\n" + Footer, "a\n127.72.1.1 frontend.shop # keep\n")] // a comment is never ours
    [InlineData("a\n" + Header + "127.72.1.1  frontend.shop\n127.72.1.2\tx\n" + Footer, "a\n127.72.1.1  frontend.shop\n127.72.1.2\tx\n")] // not our form
    [InlineData("a\n" + Header + "127.80.1.1 frontend.shop\n" + Footer, "a\n127.80.1.1 frontend.shop\n")] // not our range
    [InlineData("a\n" + Header + Lines + "10.0.0.1 b\n127.72.5.5 c\n", "a\n10.0.0.1 b\n127.72.5.5 c\n")] // no end marker
    [InlineData("a\n" + Header + Lines, "a\n")] // cut off in the middle
    [InlineData("a\n" + Header + "127.72.1.1 frontend.shop", "a\n")] // cut off in a line
    [InlineData("a\n# FAIRLEAD\nb\n# FAIRLEAD\n127.72.1.1 x\n# /FAIRLEAD\n###\n", "a\nb\n")] // two starts
    [InlineData("a\n# /FAIRLEAD\n###\nb\n", "a\nb\n")] // only the end
    [InlineData("###\na\n###\n", "###\na\n###\n")] // somebody's own decoration
    [InlineData("###\r\n# FAIRLEAD\r\n127.72.1.1 x\r\n# /FAIRLEAD\r\n###\r\na\r\n", "a\r\n")]
    public void Without_takes_only_what_is_ours(string content, string expected) => Text(Parse(content).Without()).ShouldBe(expected);

    [Fact]
    public void Without_keeps_bytes_that_are_no_text()
    {
        byte[] content = [0xff, 0xfe, 0, (byte)'\n', (byte)'#', 0xc3, (byte)'\r', (byte)'x'];
        HostsFile.Parse(HostsFile.Parse(content, Ranges).With(Entries), Ranges).Without().ShouldBe(content);
    }

    [Fact]
    public void With_ten_megabytes_changes_only_the_section()
    {
        var content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 400_000).Select(i => $"0.0.0.0 ads{i}.example.com\n")));
        content.Length.ShouldBeGreaterThan(10_000_000);
        var with = HostsFile.Parse(content, Ranges).With(Entries);
        with.AsSpan(0, content.Length).SequenceEqual(content).ShouldBeTrue();
        HostsFile.Parse(with, Ranges).Without().AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public void Without_earlier_range_takes_its_lines_too()
    {
        var content = Encoding.ASCII.GetBytes("a\n" + Header + "127.99.0.1 x.y\n" + Footer);
        Text(HostsFile.Parse(content, [Ranges[0], IPNetwork.Parse("127.99.0.0/16")]).Without()).ShouldBe("a\n");
    }

    [Fact]
    public void ReadForeign_finds_names_of_others_only()
    {
        var content = "10.0.0.1 Frontend.Shop # a comment redis.shop\n# 10.0.0.2 redis.shop\nnot-an-address redis.shop\n127.74.0.9 own.\n::1 six\n" + Header + Lines + Footer;
        var foreign = Parse(content).ReadForeign(new HashSet<string> { "frontend.shop", "redis.shop", "own", "six" });
        foreign.Names.ShouldBe(["frontend.shop", "own", "six"], ignoreOrder: true);
        foreign.Addresses.ShouldBe([IPAddress.Parse("127.74.0.9")]);
    }

    [Fact]
    public void EntryCount_counts_our_lines() => Parse("127.72.1.9 foreign\n" + Header + Lines + Footer).EntryCount.ShouldBe(2);

    [Fact]
    public void Removing_what_was_inserted_restores_every_file() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(500),
        Prop.ForAll(ForeignFiles(), content => HostsFile.Parse(HostsFile.Parse(content, Ranges).With(Entries), Ranges).Without().SequenceEqual(content)));

    [Fact]
    public void Foreign_lines_survive_every_change_of_a_damaged_file() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(500),
        Prop.ForAll(DamagedFiles(), lines =>
        {
            var content = Encoding.Latin1.GetBytes(string.Concat(lines));
            var foreign = lines.Where(line => line.StartsWith("10.", StringComparison.Ordinal)).ToList();
            foreach (var result in (byte[][])[HostsFile.Parse(content, Ranges).With(Entries), HostsFile.Parse(content, Ranges).Without()])
            {
                SplitLines(Encoding.Latin1.GetString(result)).Where(line => line.StartsWith("10.", StringComparison.Ordinal)).ShouldBe(foreign);
            }
        }));

    [Fact]
    public void Damaged_files_have_one_section_after_a_change() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(500),
        Prop.ForAll(DamagedFiles(), lines =>
        {
            var content = Encoding.Latin1.GetBytes(string.Concat(lines));
            var text = Text(HostsFile.Parse(content, Ranges).With(Entries));
            SplitLines(text).Count(line => line.TrimEnd() == "# FAIRLEAD").ShouldBe(1);
            SplitLines(text).Count(line => line.TrimEnd() == "# /FAIRLEAD").ShouldBe(1);
        }));

    private static Arbitrary<byte[]> ForeignFiles()
    {
        var piece = Gen.Elements("127.0.0.1 localhost", "###", "# FAIRLEAD ", "#FAIRLEAD", "10.0.0.1 a b", "", "\t", "\0", "é", "127.72.1.1 user", "::1 ip6", "\r", "# comment");
        var end = Gen.Elements("\n", "\r\n", "\n", "\n\n");
        var line = piece.SelectMany(_ => end, (text, lineEnd) => text + lineEnd);
        return line.ListOf().SelectMany(lines => Gen.Elements("", "last", "###", "\r"), (lines, last) => Encoding.Latin1.GetBytes(string.Concat(lines) + last)).ToArbitrary();
    }

    private static Arbitrary<string[]> DamagedFiles() => Gen.Elements(
        "###\n", "# FAIRLEAD\n", "# This section is managed by Fairlead. Do not edit manually.\n", "# /FAIRLEAD\n", "127.72.1.1 a.b\n", "127.72.1.1 frontend.shop\r\n",
        "10.0.0.1 foreign\n", "10.0.0.2 other\r\n", "10.72.1.1 x # FAIRLEAD\n", "\n").ListOf().Select(lines => lines.ToArray()).ToArbitrary();

    private static IEnumerable<string> SplitLines(string text) => text.Split('\n').Select(line => line + "\n");

    private static HostsFile Parse(string content) => HostsFile.Parse(Encoding.Latin1.GetBytes(content), Ranges);

    private static string With(string content) => Text(Parse(content).With(Entries));

    private static string Text(byte[] content) => Encoding.Latin1.GetString(content);
}
