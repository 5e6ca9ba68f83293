using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Cli.Rendering;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Cli.Rendering;

public sealed class YamlTextTests
{
    [Fact]
    public void Yaml_is_block_style_with_empty_collections_inline() =>
        Write("""{"a":1,"b":[{"c":"p","d":[]},{"c":"q","d":{}}],"e":null,"f":true}""").ShouldBe("""
            a: 1
            b:
            - c: p
              d: []
            - c: q
              d: {}
            e: null
            f: true

            """);

    [Theory]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("No")]
    [InlineData("12")]
    [InlineData("0x10")]
    [InlineData("1e3")]
    [InlineData("~")]
    [InlineData("")]
    [InlineData(" padded ")]
    [InlineData("a: b")]
    [InlineData("# no comment")]
    [InlineData("*/*")]
    [InlineData("!shop/metrics")]
    [InlineData("2026-01-02")]
    [InlineData("first\nsecond\n")]
    [InlineData("first\n  indented\n\nlast")]
    [InlineData("- x")]
    [InlineData("{a}")]
    [InlineData("it's \"quoted\" \\ and € ☂")]
    public void Yaml_string_stays_the_same_string(string text)
    {
        var yaml = Write(new JsonObject { ["value"] = text }.ToJsonString());
        var back = Yaml.Parse(yaml).ShouldHaveSingleItem();
        back["value"]!.GetValueKind().ShouldBe(JsonValueKind.String, yaml);
        back["value"]!.GetValue<string>().ShouldBe(text, yaml);
    }

    private static string Write(string json)
    {
        using var document = JsonDocument.Parse(json);
        using var writer = new StringWriter { NewLine = "\n" };
        YamlText.Write(document.RootElement, writer);
        return writer.ToString();
    }
}
