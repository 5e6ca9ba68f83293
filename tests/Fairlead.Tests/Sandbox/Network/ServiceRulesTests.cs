using Fairlead.Sandbox.Network;

namespace Fairlead.Tests.Sandbox.Network;

public sealed class ServiceRulesTests
{
    private const string HttpPort = """[{"name":"http","protocol":"TCP","port":8080}]""";

    [Fact]
    public void Ready_endpoints_are_taken_and_others_are_not()
    {
        var rules = Rules("""{"clusterIP":"10.96.1.1","ports":[{"name":"http","port":80}]}""", """
            [{"addresses":["10.244.0.2"],"conditions":{"ready":true}},
             {"addresses":["10.244.0.3"],"conditions":{"ready":false,"serving":true,"terminating":true}},
             {"addresses":["10.244.0.4"]}]
            """);

        rules.Ports.ShouldHaveSingleItem().Endpoints.ShouldBe([new Endpoint("10.244.0.2", 8080), new Endpoint("10.244.0.4", 8080)]);
    }

    [Fact]
    public void Endpoints_that_serve_while_they_end_are_taken_when_none_is_ready()
    {
        var rules = Rules("""{"clusterIP":"10.96.1.1","ports":[{"name":"http","port":80}]}""", """
            [{"addresses":["10.244.0.3"],"conditions":{"ready":false,"serving":true,"terminating":true}},
             {"addresses":["10.244.0.4"],"conditions":{"ready":false,"serving":false,"terminating":true}}]
            """);

        rules.Ports.ShouldHaveSingleItem().Endpoints.ShouldBe([new Endpoint("10.244.0.3", 8080)]);
    }

    [Fact]
    public void Node_port_leads_from_the_node_address_to_the_same_endpoints()
    {
        var rules = Rules("""{"type":"NodePort","clusterIP":"10.96.1.1","ports":[{"name":"http","port":80,"nodePort":30080}]}""", """[{"addresses":["10.244.0.2"]}]""");

        rules.Ports.Select(p => (p.Address, p.Port)).ShouldBe([("10.96.1.1", 80), ("198.18.0.2", 30080)], ignoreOrder: true);
    }

    [Theory]
    [InlineData("""{"clusterIP":"None","ports":[{"name":"http","port":80}]}""")]
    [InlineData("""{"type":"ExternalName","externalName":"example.com"}""")]
    [InlineData("""{"clusterIP":"10.96.1.1","ports":[{"name":"other","port":80}]}""")]
    [InlineData("""{"clusterIP":"10.96.1.1; flush ruleset","ports":[{"name":"http","port":80}]}""")]
    public void Service_without_address_or_matching_port_has_no_rules(string spec) =>
        Rules(spec, """[{"addresses":["10.244.0.2"]}]""").Ports.ShouldBeEmpty();

    [Fact]
    public void Address_that_is_none_is_left_out() =>
        Rules("""{"clusterIP":"10.96.1.1","ports":[{"name":"http","port":80}]}""", """[{"addresses":["10.244.0.2 } flush ruleset", "fd00::1"]}]""").Ports.ShouldBeEmpty();

    [Fact]
    public void Udp_flows_to_endpoints_that_went_are_stale_and_tcp_flows_are_not()
    {
        var before = new ServiceRules([Port("udp", "10.244.0.2", "10.244.0.3"), Port("tcp", "10.244.0.2")]);
        var after = new ServiceRules([Port("udp", "10.244.0.3")]);

        before.StaleFlows(after).ShouldHaveSingleItem().Endpoint.ToString().ShouldBe("10.244.0.2:53");
        before.StaleFlows(ServiceRules.None).Count().ShouldBe(2);
    }

    internal static PortRule Port(string protocol, params string[] endpoints) =>
        new("10.96.0.9", protocol, 53, false, [.. endpoints.Select(e => new Endpoint(e, 53))]);

    private static ServiceRules Rules(string spec, string endpoints) =>
        ServiceRules.Of(Manifest.Service("web", spec), [Manifest.Slice("web", endpoints, HttpPort)], "198.18.0.2");
}
