using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Patching;

namespace Fairlead.Tests.Sandbox.ApiServer.Patching;

/// <summary>The examples of RFC 6902, appendix A.</summary>
public sealed class JsonPatchTests
{
    [Theory]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux"}]""", """{"baz":"qux","foo":"bar"}""")]
    [InlineData("""{"foo":["bar","baz"]}""", """[{"op":"add","path":"/foo/1","value":"qux"}]""", """{"foo":["bar","qux","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"remove","path":"/baz"}]""", """{"foo":"bar"}""")]
    [InlineData("""{"foo":["bar","qux","baz"]}""", """[{"op":"remove","path":"/foo/1"}]""", """{"foo":["bar","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"replace","path":"/baz","value":"boo"}]""", """{"baz":"boo","foo":"bar"}""")]
    [InlineData(
        """{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}""",
        """[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]""",
        """{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}""")]
    [InlineData("""{"foo":["all","grass","cows","eat"]}""", """[{"op":"move","from":"/foo/1","path":"/foo/3"}]""", """{"foo":["all","cows","eat","grass"]}""")]
    [InlineData(
        """{"baz":"qux","foo":["a",2,"c"]}""",
        """[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]""",
        """{"baz":"qux","foo":["a",2,"c"]}""")]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/child","value":{"grandchild":{}}}]""", """{"foo":"bar","child":{"grandchild":{}}}""")]
    [InlineData("""{"/":9,"~1":10}""", """[{"op":"test","path":"/~01","value":10}]""", """{"/":9,"~1":10}""")]
    [InlineData("""{"foo":["bar"]}""", """[{"op":"add","path":"/foo/-","value":["abc","def"]}]""", """{"foo":["bar",["abc","def"]]}""")]
    [InlineData("""{"foo":["a","b"]}""", """[{"op":"replace","path":"/foo/1","value":"c"}]""", """{"foo":["a","c"]}""")]
    [InlineData("""{"foo":1}""", """[{"op":"copy","from":"/foo","path":"/bar"}]""", """{"foo":1,"bar":1}""")]
    public void Apply_gives_what_the_standard_says(string target, string patch, string expected) =>
        JsonPatch.Apply(Objects.Json(target), (JsonArray)JsonNode.Parse(patch)!).ShouldBeJson(expected);

    [Theory]
    [InlineData("""{"baz":"qux"}""", """[{"op":"test","path":"/baz","value":"bar"}]""", 422)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz/bat","value":"qux"}]""", 422)]
    [InlineData("""{"foo":["a"]}""", """[{"op":"add","path":"/foo/2","value":"b"}]""", 422)]
    [InlineData("""{"foo":["a"]}""", """[{"op":"remove","path":"/foo/01"}]""", 422)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"remove","path":"/nope"}]""", 422)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"replace","path":"/nope","value":1}]""", 422)]
    [InlineData("""{"foo":{"a":1}}""", """[{"op":"move","from":"/foo","path":"/foo/b"}]""", 422)]
    [InlineData("""{"/":9,"~1":10}""", """[{"op":"test","path":"/~01","value":"10"}]""", 422)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"fly","path":"/foo"}]""", 400)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"foo","value":1}]""", 400)]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/foo"}]""", 400)]
    [InlineData("""{"foo":"bar"}""", """["add"]""", 400)]
    public void Apply_of_what_cannot_be_done_is_refused(string target, string patch, int code)
    {
        var before = Objects.Json(target);

        Should.Throw<StatusException>(() => JsonPatch.Apply(before, (JsonArray)JsonNode.Parse(patch)!)).Code.ShouldBe(code);

        before.ShouldBeJson(target);
    }
}
