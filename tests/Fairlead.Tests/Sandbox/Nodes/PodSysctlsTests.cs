using System.Text.Json.Nodes;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class PodSysctlsTests
{
    [Fact]
    public void Of_safe_ones_are_taken() =>
        PodSysctls.Of(Pod("net.ipv4.ping_group_range", "65532 65532")).ShouldHaveSingleItem().ShouldBe(new("net.ipv4.ping_group_range", "65532 65532"));

    [Theory]
    [InlineData("net.ipv4.ip_forward")]
    [InlineData("kernel.core_pattern")]
    [InlineData("../kernel/core_pattern")]
    public void Of_others_refuse_the_pod_as_a_kubelet_does(string name) =>
        Should.Throw<ContainerConfigException>(() => PodSysctls.Of(Pod(name, "1"))).Message.ShouldContain(name);

    [Fact]
    public void Of_a_pod_that_sets_none_is_empty() => PodSysctls.Of(new JsonObject { ["spec"] = new JsonObject() }).ShouldBeEmpty();

    private static JsonObject Pod(string name, string value) => new()
    {
        ["spec"] = new JsonObject
        {
            ["securityContext"] = new JsonObject { ["sysctls"] = new JsonArray(new JsonObject { ["name"] = name, ["value"] = value }) },
        },
    };
}
