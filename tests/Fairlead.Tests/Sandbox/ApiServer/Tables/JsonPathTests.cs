using Fairlead.Sandbox.ApiServer.Tables;

namespace Fairlead.Tests.Sandbox.ApiServer.Tables;

public sealed class JsonPathTests
{
    private const string Document = """
        {"a": {"b": [1, 2, 3], "x.y": "dotted", "x/z": "slash"},
         "conditions": [{"type": "Ready", "status": "True"}, {"type": "Odd]", "status": "False"}]}
        """;

    [Theory]
    [InlineData(".a.b[0]", "1")]
    [InlineData("$.a.b[-1]", "3")]
    [InlineData("{.a.b[*]}", "1 2 3")]
    [InlineData(".a['x.y']", "dotted")]
    [InlineData(""".a.x\.y""", "dotted")]
    [InlineData(".a['x/z']", "slash")]
    [InlineData(""".conditions[?(@.type=="Ready")].status""", "True")]
    [InlineData(""".conditions[?(@.type=="Odd]")].status""", "False")]
    [InlineData(""".conditions[?(@.type!="Ready")].status""", "False")]
    [InlineData(".a.b[7]", "")]
    [InlineData(".missing.path", "")]
    [InlineData(".a[", "")]
    [InlineData(".a[?(nonsense)]", "")]
    [InlineData("nonsense", "")]
    public void Find_gives_what_the_path_names(string path, string expected) =>
        string.Join(' ', JsonPath.Parse(path).Find(Objects.Json(Document)).Select(node => node.ToString())).ShouldBe(expected);

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(119, "119s")]
    [InlineData(120, "2m")]
    [InlineData(310, "5m10s")]
    [InlineData(601, "10m")]
    [InlineData(3 * 3600, "3h")]
    [InlineData((3 * 3600) + 240, "3h4m")]
    [InlineData(47 * 3600, "47h")]
    [InlineData((2 * 86400) + (5 * 3600), "2d5h")]
    [InlineData(40 * 86400, "40d")]
    [InlineData(800 * 86400, "2y70d")]
    [InlineData(-5, "0s")]
    public void Ages_are_as_kubectl_shows_them(int seconds, string expected) => Ages.Of(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);
}
