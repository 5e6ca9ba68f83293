using System.Text.Json.Nodes;
using Fairlead.Sandbox.Nodes;

namespace Fairlead.Tests.Sandbox.Nodes;

public sealed class ContainerEnvironmentTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("$(A)-$(B)", "1-$(B)")]
    [InlineData("$$(A)", "$(A)")]
    [InlineData("$$$(A)", "$1")]
    [InlineData("$(A", "$(A")]
    [InlineData("cost: 5$", "cost: 5$")]
    [InlineData("$A", "$A")]
    public void Expansion_follows_the_rules_of_kubernetes(string text, string expected) =>
        VariableExpansion.Expand(text, new Dictionary<string, string> { ["A"] = "1" }).ShouldBe(expected);

    [Fact]
    public void Later_sources_win_and_references_are_resolved_in_order()
    {
        var environment = Build("""
            {"name":"c","envFrom":[{"prefix":"P_","configMapRef":{"name":"settings"}},{"secretRef":{"name":"keys"}}],
             "env":[{"name":"A","value":"one"},{"name":"B","value":"$(A)/$(P_colour)"},{"name":"A","value":"two"},
                    {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
                    {"name":"APP","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}},
                    {"name":"SECRET","valueFrom":{"secretKeyRef":{"name":"keys","key":"token"}}},
                    {"name":"NONE","valueFrom":{"configMapKeyRef":{"name":"settings","key":"missing","optional":true}}},
                    {"name":"MEMORY","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}],
             "resources":{"limits":{"memory":"64Mi"}}}
            """);

        environment["A"].ShouldBe("two");
        environment["B"].ShouldBe("one/blue");
        environment["IP"].ShouldBe("10.244.0.9");
        environment["APP"].ShouldBe("web");
        environment["SECRET"].ShouldBe("s3cret");
        environment["token"].ShouldBe("s3cret");
        environment["MEMORY"].ShouldBe("64");
        environment.ContainsKey("NONE").ShouldBeFalse();
    }

    [Fact]
    public void Services_of_the_namespace_become_variables()
    {
        var environment = Build("""{"name":"c"}""");

        environment["CART_API_SERVICE_HOST"].ShouldBe("10.96.0.7");
        environment["CART_API_SERVICE_PORT_HTTP"].ShouldBe("80");
        environment["CART_API_PORT_80_TCP_ADDR"].ShouldBe("10.96.0.7");
        environment.Keys.ShouldNotContain(key => key.StartsWith("HEADLESS", StringComparison.Ordinal));
    }

    [Fact]
    public void Missing_reference_says_what_is_missing() =>
        Should.Throw<ContainerConfigException>(() => Build("""{"name":"c","envFrom":[{"secretRef":{"name":"nothing"}}]}"""))
            .Message.ShouldBe("secret \"nothing\" not found");

    [Theory]
    [InlineData("250m", "0.25")]
    [InlineData("1.5", "1.5")]
    [InlineData("2Ki", "2048")]
    [InlineData("3G", "3000000000")]
    public void Quantity_is_read_with_its_suffix(string text, string expected) =>
        PodFields.Quantity(text).ShouldBe(decimal.Parse(expected, System.Globalization.CultureInfo.InvariantCulture));

    [Theory]
    [InlineData("")]
    [InlineData("many")]
    [InlineData("1Xi")]
    public void Quantity_that_is_none_is_refused(string text) => Should.Throw<ContainerConfigException>(() => PodFields.Quantity(text));

    private static IReadOnlyDictionary<string, string> Build(string container) => ContainerEnvironment.Build(
        Manifest.Pod("web-1", labels: """{"app":"web"}"""), Manifest.Of(container), new Dictionary<string, string>(), "10.244.0.9", "198.18.0.2", new Sources());

    private sealed class Sources : IPodSources
    {
        public JsonObject? ConfigMap(string @namespace, string name) => name == "settings" ? Manifest.Of("""{"data":{"colour":"blue"}}""") : null;

        public JsonObject? Secret(string @namespace, string name) => name == "keys" ? Manifest.Of("""{"data":{"token":"czNjcmV0"}}""") : null;

        public IEnumerable<JsonObject> Services(string @namespace) =>
        [
            Manifest.Service("cart-api", """{"clusterIP":"10.96.0.7","ports":[{"name":"http","port":80}]}"""),
            Manifest.Service("headless", """{"clusterIP":"None","ports":[{"port":80}]}"""),
        ];
    }
}
