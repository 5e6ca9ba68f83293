using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway;
using Fairlead.Gateway.Api;
using Fairlead.Gateway.Cluster;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Gateway;

public sealed class GatewayOptionsTests
{
    [Fact]
    public void Environment_is_read()
    {
        var options = Read(("POD_IP", "10.244.0.2"), ("FAIRLEAD_SPACE_NAME", "team"), ("FAIRLEAD_ENDPOINTS", "gw.example.com:443:8444, [fd00::1]:1:0"), ("FAIRLEAD_DRAIN_SECONDS", "7"), ("FAIRLEAD_NAMESPACES", "shop, dev"), ("FAIRLEAD_INGRESS_HOST", "in.example.com"));
        options.Address.ToString().ShouldBe("10.244.0.2");
        options.Endpoints.ShouldBe([new GatewayEndpoint("gw.example.com", 443, 8444), new GatewayEndpoint("fd00::1", 1, 0)]);
        options.Namespaces.ShouldBe(["shop", "dev"]);
        options.Ingress.ShouldBe(new GatewayEndpoint("in.example.com", 443, 0));
        options.DrainGrace.ShouldBe(TimeSpan.FromSeconds(7));
    }

    [Theory]
    [InlineData("POD_IP", "nowhere")]
    [InlineData("FAIRLEAD_SPACE_NAME", "Not A Label")]
    [InlineData("FAIRLEAD_ENDPOINTS", "host")]
    [InlineData("FAIRLEAD_ENDPOINTS", "host:1")]
    [InlineData("FAIRLEAD_ENDPOINTS", "host:0:1")]
    [InlineData("FAIRLEAD_ENDPOINTS", "host:1:70000")]
    [InlineData("FAIRLEAD_API_PORT", "-1")]
    [InlineData("FAIRLEAD_NAMESPACES", "shop,*")]
    [InlineData("FAIRLEAD_INGRESS_HOST", "10.0.0.1")]
    public void Environment_nonsense_names_the_variable(string variable, string value) =>
        Should.Throw<FormatException>(() => Read((variable, value))).Message.ShouldContain(variable);

    [Theory]
    [InlineData(new[] { 1 }, 1)]
    [InlineData(new[] { 1, 2, 9 }, 1)]
    [InlineData(new[] { 0, 1 }, 1)]
    public void Negotiation_takes_the_highest_common_version(int[] offered, int expected) => Negotiation.Choose(new HelloRequest(offered, "0.9", []), "1.0").ShouldBe(expected);

    [Theory]
    [InlineData(new[] { 2, 3 }, "gateway upgraded")]
    [InlineData(new[] { 0 }, "Upgrade Fairlead")]
    [InlineData(new int[0], "Upgrade Fairlead")]
    public void Negotiation_without_a_common_version_says_who_is_older(int[] offered, string hint)
    {
        var error = Should.Throw<FairleadException>(() => Negotiation.Choose(new HelloRequest(offered, "0.9", []), "1.0")).Error;
        error.Hint!.ShouldContain(hint);
        error.Why!.ShouldContain("(0.9)");
        error.Why!.ShouldContain("(1.0)");
    }

    [Fact]
    public void Reach_prefers_a_load_balancer_and_falls_back_to_node_ports()
    {
        var service = new Service
        {
            Spec = new()
            {
                Ports =
                [
                    new() { Name = "api", Port = 8443, NodePort = 30443 },
                    new() { Name = "data", Port = 8444, NodePort = 30444 },
                ],
            },
        };
        NodeView[] nodes = [new("b", [System.Net.IPAddress.Parse("10.0.0.2")], [], [], 10250), new("a", [System.Net.IPAddress.Parse("10.0.0.1")], [System.Net.IPAddress.Parse("203.0.113.1")], [], 10250)];
        Reach.Find(service, nodes).ShouldBe([new("203.0.113.1", 30443, 30444), new("10.0.0.1", 30443, 30444), new("10.0.0.2", 30443, 30444)]);
        Reach.Find(service, [nodes[0], nodes[1] with { Ready = false }]).Select(e => e.Host).ShouldBe(["10.0.0.2", "203.0.113.1", "10.0.0.1"], "a node that is off comes last");
        service.Status = new() { LoadBalancer = new() { Ingress = [new() { Hostname = "lb.example.com" }] } };
        Reach.Find(service, nodes).ShouldBe([new("lb.example.com", 8443, 8444)]);
        Reach.Find(null, nodes).ShouldBeEmpty();
    }

    private static GatewayOptions Read(params (string Name, string Value)[] variables) =>
        GatewayOptions.FromEnvironment(name => variables.FirstOrDefault(v => v.Name == name).Value);
}
