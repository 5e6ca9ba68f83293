using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Errors;

namespace Fairlead.Tests.Companion.Administration.Values;

/// <summary>What Helm's own documentation and behaviour say of --set, --set-string and --set-json.</summary>
public sealed class SetSyntaxTests
{
    [Theory]
    [InlineData("name=value", """{"name":"value"}""")]
    [InlineData("a=b,c=d", """{"a":"b","c":"d"}""")]
    [InlineData("outer.inner=value", """{"outer":{"inner":"value"}}""")]
    [InlineData("name={a, b, c}", """{"name":["a"," b"," c"]}""")]
    [InlineData("name={a,b},x={}", """{"name":["a","b"],"x":[]}""")]
    [InlineData("name=[]", """{"name":"[]"}""")]
    [InlineData("a=null", """{"a":null}""")]
    [InlineData("a=true,b=false", """{"a":true,"b":false}""")]
    [InlineData("a=0,b=7,c=-1,d=00009,e=1.5", """{"a":0,"b":7,"c":-1,"d":"00009","e":"1.5"}""")]
    [InlineData("long=1234567890123", """{"long":1234567890123}""")]
    [InlineData("a={1,true,null,x}", """{"a":[1,true,null,"x"]}""")]
    [InlineData("a=", """{"a":""}""")]
    [InlineData("a=,b=c", """{"a":"","b":"c"}""")]
    [InlineData("a=b,", """{"a":"b"}""")]
    [InlineData(@"name=value1\,value2", """{"name":"value1,value2"}""")]
    [InlineData(@"nodeSelector.kubernetes\.io/role=master", """{"nodeSelector":{"kubernetes.io/role":"master"}}""")]
    [InlineData(@"a\=b=c", """{"a=b":"c"}""")]
    [InlineData("a=b=c", """{"a":"b=c"}""")]
    [InlineData("servers[0].port=80", """{"servers":[{"port":80}]}""")]
    [InlineData("servers[0].port=80,servers[0].host=example", """{"servers":[{"port":80,"host":"example"}]}""")]
    [InlineData("list[0]=foo,list[2]=bar", """{"list":["foo",null,"bar"]}""")]
    [InlineData("nested[0][1]=1", """{"nested":[[null,1]]}""")]
    [InlineData("a.b=1,a.c=2", """{"a":{"b":1,"c":2}}""")]
    [InlineData("a.b=1,a.b.c=2", """{"a":{"b":{"c":2}}}""")]
    [InlineData("", "{}")]
    public void Set_is_read_as_by_Helm(string argument, string expected) => Read(argument).ShouldBe(expected);

    [Theory]
    [InlineData("a=1,b=true,c=null,d={1,x}", """{"a":"1","b":"true","c":"null","d":["1","x"]}""")]
    public void Set_string_makes_every_value_a_text(string argument, string expected) => Read(argument, asText: true).ShouldBe(expected);

    [Theory]
    [InlineData("a=[1,\"x,y\",{\"b\":null}]", """{"a":[1,"x,y",{"b":null}]}""")]
    [InlineData("a.b={\"c\":1},d[1]=true", """{"a":{"b":{"c":1}},"d":[null,true]}""")]
    [InlineData("a=\"ä,\" , b=2", """{"a":"ä,"," b":2}""")]
    [InlineData("{\"a\":{\"b\":1},\"c\":[2]}", """{"a":{"b":1},"c":[2]}""")]
    public void Set_json_takes_any_value(string argument, string expected)
    {
        var values = new JsonObject();
        SetSyntax.ApplyJson(argument, values);
        Text(values).ShouldBe(expected);
    }

    [Theory]
    [InlineData("name")]
    [InlineData("name1,name2=")]
    [InlineData("=value")]
    [InlineData(".a=b")]
    [InlineData("a..b=c")]
    [InlineData("a.=c")]
    [InlineData("a={b")]
    [InlineData("a={b}c")]
    [InlineData("a[x]=b")]
    [InlineData("a[0=b")]
    [InlineData("a[-1]=b")]
    [InlineData("a[65537]=b")]
    [InlineData("illegal[0]name.foo=bar")]
    [InlineData("a.b=1,a[0]=2")]
    [InlineData("a[0]=1,a.b=2")]
    [InlineData("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1")]
    public void Set_that_sets_nothing_is_a_usage_error(string argument) =>
        Should.Throw<FairleadException>(() => Read(argument)).Error.Code.ShouldBe("set-invalid");

    [Theory]
    [InlineData("a=[1")]
    [InlineData("a=x")]
    [InlineData("a=1b=2")]
    [InlineData("{\"a\":")]
    public void Set_json_that_is_none_is_a_usage_error(string argument) =>
        Should.Throw<FairleadException>(() => SetSyntax.ApplyJson(argument, [])).Error.Code.ShouldBe("set-invalid");

    [Fact]
    public void Set_changes_what_was_there_before()
    {
        var values = JsonNode.Parse("""{"a":{"b":1,"c":2},"l":[{"x":1},{"x":2}]}""")!.AsObject();
        SetSyntax.Apply("a.b=9,l[1].x=8,l[2]=7", asText: false, values);
        Text(values).ShouldBe("""{"a":{"b":9,"c":2},"l":[{"x":1},{"x":8},7]}""");
    }

    private static string Read(string argument, bool asText = false)
    {
        var values = new JsonObject();
        SetSyntax.Apply(argument, asText, values);
        return Text(values);
    }

    private static string Text(JsonObject values) => values.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
