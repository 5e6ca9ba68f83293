using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Messages;

public sealed class DnsNameTests
{
    [Theory]
    [InlineData("frontend.shop.svc.cluster.local")]
    [InlineData("a")]
    [InlineData(".")]
    [InlineData("_http._tcp.Frontend.shop")]
    [InlineData("a\\.b.c")]
    [InlineData("a\\\\b")]
    [InlineData("\\000\\255\\032.x")]
    public void Name_parsed_and_printed_is_the_same(string text)
    {
        var name = DnsName.Parse(text);
        name.ToString().ShouldBe(text);
        DnsName.FromWire(name.Wire).Wire.SequenceEqual(name.Wire).ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a.b..")]
    [InlineData("ä.example")]
    [InlineData("a\\")]
    [InlineData("a\\25")]
    [InlineData("a\\256")]
    [InlineData("\\ä")]
    public void Nonsense_is_no_name(string text)
    {
        DnsName.TryParse(text, out _).ShouldBeFalse();
        Should.Throw<FormatException>(() => DnsName.Parse(text));
    }

    [Fact]
    public void Final_dot_makes_no_difference() => DnsName.Parse("a.b.").ShouldBe(DnsName.Parse("a.b"));

    [Fact]
    public void Label_of_63_octets_is_the_longest()
    {
        DnsName.TryParse(new string('a', 63), out _).ShouldBeTrue();
        DnsName.TryParse(new string('a', 64), out _).ShouldBeFalse();
    }

    [Fact]
    public void Name_of_255_octets_is_the_longest()
    {
        var longest = string.Join('.', new string('a', 63), new string('b', 63), new string('c', 63), new string('d', 61));
        DnsName.Parse(longest).Wire.Length.ShouldBe(255);
        DnsName.Parse(longest + ".").Wire.Length.ShouldBe(255);
        DnsName.TryParse(longest + "d", out _).ShouldBeFalse();
        DnsName.TryParse(string.Join('.', Enumerable.Repeat("x", 128)), out _).ShouldBeFalse();
        DnsName.Parse(string.Join('.', Enumerable.Repeat("x", 127))).LabelCount.ShouldBe(127);
    }

    [Fact]
    public void Case_is_kept_but_not_compared()
    {
        var mixed = DnsName.Parse("FrontEnd.SHOP");
        mixed.ToString().ShouldBe("FrontEnd.SHOP");
        mixed.ShouldBe(DnsName.Parse("frontend.shop"));
        mixed.GetHashCode().ShouldBe(DnsName.Parse("frontend.shop").GetHashCode());
        (mixed != DnsName.Parse("frontend.shoq")).ShouldBeTrue();
        DnsName.Parse("@a").ShouldNotBe(DnsName.Parse("`a"));
    }

    [Fact]
    public void Ancestors_are_whole_labels()
    {
        var cluster = DnsName.Parse("Cluster.local");
        DnsName.Parse("a.svc.cluster.LOCAL").IsAtOrBelow(cluster).ShouldBeTrue();
        cluster.IsAtOrBelow(cluster).ShouldBeTrue();
        cluster.IsAtOrBelow(DnsName.Root).ShouldBeTrue();
        DnsName.Parse("notcluster.local").IsAtOrBelow(cluster).ShouldBeFalse();
        DnsName.Parse("local").IsAtOrBelow(cluster).ShouldBeFalse();
    }

    [Fact]
    public void Labels_and_parent_split_the_name()
    {
        var name = DnsName.Parse("a\\.b.c");
        name.Labels.ShouldBe(["a\\.b", "c"]);
        name.Parent.ToString().ShouldBe("c");
        name.Parent.Parent.IsRoot.ShouldBeTrue();
        DnsName.Root.Parent.IsRoot.ShouldBeTrue();
    }
}
