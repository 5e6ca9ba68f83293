using System.Text.Json.Nodes;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes;

public sealed class YamlTests
{
    [Theory]
    [InlineData("a", "\"a\"")]
    [InlineData("", "null")]
    [InlineData("~", "null")]
    [InlineData("yes", "true")]
    [InlineData("Off", "false")]
    [InlineData("\"yes\"", "\"yes\"")]
    [InlineData("'80'", "\"80\"")]
    [InlineData("!!str 80", "\"80\"")]
    [InlineData("80", "80")]
    [InlineData("-7", "-7")]
    [InlineData("+7", "7")]
    [InlineData("0644", "420")]
    [InlineData("0o644", "420")]
    [InlineData("0x1F", "31")]
    [InlineData("0b101", "5")]
    [InlineData("1_000", "1000")]
    [InlineData("9223372036854775807", "9223372036854775807")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("18446744073709551615", "18446744073709551615")]
    [InlineData("0.5", "0.5")]
    [InlineData(".5", "0.5")]
    [InlineData("1e3", "1000")]
    [InlineData("1.2.3", "\"1.2.3\"")]
    [InlineData("10.96.0.10", "\"10.96.0.10\"")]
    [InlineData("100m", "\"100m\"")]
    [InlineData("64Mi", "\"64Mi\"")]
    [InlineData("2026-01-02", "\"2026-01-02\"")]
    [InlineData("-", "[null]")]
    [InlineData("--flag", "\"--flag\"")]
    [InlineData("0x", "\"0x\"")]
    public void Scalar_becomes_the_json_that_kubectl_makes_of_it(string yaml, string json) =>
        Parse($"a:\n  {yaml}\n").ShouldBe($"{{\"a\":{json}}}");

    [Fact]
    public void Several_documents_come_in_order_without_the_empty_ones()
    {
        var documents = Yaml.Parse("---\nkind: A\n---\n# nothing\n---\nkind: B\n...\n");

        documents.Select(d => d["kind"]!.GetValue<string>()).ShouldBe(["A", "B"]);
    }

    [Fact]
    public void Json_is_yaml() => Parse("""{"a":[1,"x",null,{"b":true}]}""").ShouldBe("""{"a":[1,"x",null,{"b":true}]}""");

    [Fact]
    public void Block_text_keeps_its_lines() =>
        Yaml.Parse("a: |\n  one\n   two\nb: >-\n  x\n  y\n").Single()["a"]!.GetValue<string>().ShouldBe("one\n two\n");

    [Fact]
    public void Anchors_and_merge_keys_are_resolved_with_own_keys_first() =>
        Parse("base: &b {x: 1, y: 2}\nuse: {y: 3, <<: *b}\nlist: {<<: [{x: 9}, *b]}\n")
            .ShouldBe("""{"base":{"x":1,"y":2},"use":{"y":3,"x":1},"list":{"x":9,"y":2}}""");

    [Theory]
    [InlineData("a: [")]
    [InlineData("a: 1\na: 2\n")]
    [InlineData("- a\n")]
    [InlineData("just text")]
    [InlineData("{[a]: b}")]
    [InlineData("a: .inf")]
    [InlineData("a: {<<: [1]}")]
    [InlineData("a: *nowhere")]
    [InlineData("a: &x [*x]")]
    [InlineData("? {a: b}\n: c\n")]
    public void Text_that_makes_no_object_is_an_error_with_a_line(string yaml) =>
        Should.Throw<FormatException>(() => Yaml.Parse(yaml)).Message.ShouldStartWith("line ");

    [Fact]
    public void Alias_bomb_is_refused()
    {
        var lines = Enumerable.Range(1, 9).Select(i => $"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]");

        Should.Throw<FormatException>(() => Yaml.Parse("a0: &a0 [x]\n" + string.Join('\n', lines))).Message.ShouldContain("values");
    }

    [Theory]
    [InlineData(200)]
    [InlineData(200_000)]
    public void Deep_nesting_is_refused(int depth) =>
        Should.Throw<FormatException>(() => Yaml.Parse("a: " + new string('[', depth) + new string(']', depth))).Message.ShouldContain("deeper");

    [Fact]
    public void Anchor_of_one_document_is_unknown_in_the_next() =>
        Should.Throw<FormatException>(() => Yaml.Parse("a: &x 1\n---\nb: *x\n")).Message.ShouldStartWith("line 3");

    private static string Parse(string yaml) => ((JsonNode)Yaml.Parse(yaml).Single()).ToJsonString();
}
