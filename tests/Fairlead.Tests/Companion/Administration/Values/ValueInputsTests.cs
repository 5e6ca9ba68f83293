using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Values;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;

namespace Fairlead.Tests.Companion.Administration.Values;

public sealed class ValueInputsTests
{
    [Fact]
    public void Later_kinds_win_over_earlier_ones_and_all_over_what_was_set_before()
    {
        var before = JsonNode.Parse("""{"replicas":5,"spaceName":"old","logLevel":"debug"}""")!.AsObject();
        var set = ValueInputs.Lay(before, new GatewayValueInputs(
            [new("a.yaml", "replicas: 2\nimage: { tag: a, repository: r }\n"), new("b.json", """{"image":{"tag":"b"}}""")],
            ["image.tag=\"json\""],
            ["image.tag=set,replicas=3"],
            ["image.tag=7"]));
        var values = ValueMerge.Effective(set);
        (values.Replicas, values.SpaceName, values.LogLevel, values.Image.Repository, values.Image.Tag).ShouldBe((3, "old", "debug", "r", "7"));
        before["replicas"]!.GetValue<int>().ShouldBe(5);
    }

    [Fact]
    public void Null_takes_a_value_back_to_its_default_and_parts_of_a_default_away()
    {
        var set = ValueInputs.Lay(JsonNode.Parse("""{"replicas":5}""")!.AsObject(), Set("replicas=null", "resources.limits=null", @"nodeSelector.kubernetes\.io/os=linux"));
        var values = ValueMerge.Effective(set);
        values.Replicas.ShouldBe(2);
        values.Resources.ToJsonString().ShouldBe("""{"requests":{"cpu":"50m","memory":"96Mi"}}""");
        values.NodeSelector.ShouldBe(new Dictionary<string, string> { ["kubernetes.io/os"] = "linux" });

        // It stays so when something else is set later.
        ValueMerge.Effective(ValueInputs.Lay(set, Set("replicas=4"))).Resources.ContainsKey("limits").ShouldBeFalse();
    }

    [Theory]
    [InlineData("imge.tag=x", "image")]
    [InlineData("image.tga=x", "image.tag")]
    [InlineData("tag=x", "image.tag")]
    [InlineData("client.routing.alsoProxySubnet={10.0.0.0/8}", "client.routing.alsoProxySubnets")]
    [InlineData("alsoProxySubnets={10.0.0.0/8}", "client.routing.alsoProxySubnets")]
    [InlineData("client.dns.includesuffixes={a}", "client.dns.includeSuffixes")]
    [InlineData("replica=3", "replicas")]
    [InlineData("service.nodePort.api=1", "service.nodePorts")]
    public void Unknown_key_is_refused_with_the_nearest_known_one(string argument, string nearest)
    {
        var error = Should.Throw<FairleadException>(() => ValueInputs.Lay([], Set(argument))).Error;
        (error.Category, error.Code, error.Why).ShouldBe((ErrorCategory.Usage, "value-unknown", $"the nearest is '{nearest}'"));
    }

    [Theory]
    [InlineData("replicas=0")]
    [InlineData("replicas=many")]
    [InlineData("replicas={1}")]
    [InlineData("spaceName=Not_A_Label")]
    [InlineData("image.tag=7")]
    [InlineData("image.tag=")]
    [InlineData("image=x")]
    [InlineData("image.repository=Upper")]
    [InlineData("image.digest=sha256:12")]
    [InlineData("image.pullPolicy=Sometimes")]
    [InlineData("namespaces=shop")]
    [InlineData("namespaces={shop,dev-*}")]
    [InlineData("namespaces[0]=null")]
    [InlineData("endpoints={host:1}")]
    [InlineData("endpoints={host:0:1}")]
    [InlineData("endpoints={host:1:70000}")]
    [InlineData("service.type=ExternalName")]
    [InlineData("service.loadBalancerIP=1.2.3")]
    [InlineData("ingress.enabled=perhaps")]
    [InlineData("ingress.enabled=true")]
    [InlineData("podLabels.a=1")]
    [InlineData("tolerations={a}")]
    [InlineData("client.resolver=telepathy")]
    [InlineData("client.routing.neverProxySubnets={10.0.0.1/8}")]
    [InlineData("client.dns.excludeSuffixes={a..b}")]
    [InlineData("cluster.virtualIPSubnet=246.0.0.0/30")]
    public void Value_that_makes_no_sense_is_refused_and_named(string argument)
    {
        var error = Should.Throw<FairleadException>(() => ValueInputs.Lay([], Set(argument))).Error;
        (error.Category, error.Code).ShouldBe((ErrorCategory.Usage, "value-invalid"));
        error.Message.ShouldStartWith(argument.Split('=')[0]);
        error.Why.ShouldNotBeNullOrEmpty();
    }

    [Theory]
    [InlineData("endpoints={gw.example.com:443:8444,[fd00::1]:443:0,10.0.0.1:1:1}")]
    [InlineData("image.repository=registry.example.com:5000/team/fairlead,image.digest=sha256:0123456789012345678901234567890123456789012345678901234567890123")]
    [InlineData("client.dns.includeSuffixes={corp.example.com,.internal}")]
    [InlineData("tolerations[0].key=gpu,tolerations[0].operator=Exists")]
    [InlineData("cluster.virtualIPSubnet=211.55.48.0/20")]
    public void Value_that_makes_sense_is_taken(string argument) => ValueMerge.Effective(ValueInputs.Lay([], Set(argument))).ShouldNotBeNull();

    [Theory]
    [InlineData("a: b: c")]
    [InlineData("- a")]
    [InlineData("a: 1\n---\nb: 2")]
    public void File_that_is_no_values_is_named(string content)
    {
        var error = Should.Throw<FairleadException>(() => ValueInputs.Lay([], new GatewayValueInputs([new("team.yaml", content)], [], [], []))).Error;
        (error.Category, error.Code).ShouldBe((ErrorCategory.Usage, "values-unreadable"));
        error.Message.ShouldContain("team.yaml");
    }

    private static GatewayValueInputs Set(params string[] arguments) => new([], [], arguments, []);
}
