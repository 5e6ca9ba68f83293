using System.Net;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Admission.Defaults;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Storage;

namespace Fairlead.Tests.Sandbox.ApiServer.Admission;

public sealed class ServiceAllocatorTests
{
    private static readonly ResourceKind Kind = BuiltInKinds.All.Single(kind => kind.Id == BuiltInKinds.Services);

    private readonly ObjectStore store = new();
    private readonly ServiceRanges ranges = new(IPNetwork.Parse("10.96.0.0/16"));

    [Fact]
    public void Service_gets_an_address_beyond_the_reserved_ones()
    {
        var service = Create("a", """{"ports":[{"port":80}]}""");

        var address = IPAddress.Parse(service.Text("spec", "clusterIP")!);
        ranges.Addresses.Contains(address).ShouldBeTrue();
        address.GetAddressBytes()[2].ShouldBeGreaterThan((byte)0);
        service.At("spec", "clusterIPs").ShouldBeJson($"[\"{address}\"]");
        service.At("spec", "ipFamilies").ShouldBeJson("""["IPv4"]""");
    }

    [Fact]
    public void Service_gets_the_address_that_it_asks_for_once()
    {
        Create("a", """{"clusterIP":"10.96.0.10","ports":[{"port":53}]}""").Text("spec", "clusterIP").ShouldBe("10.96.0.10");

        Failure("b", """{"clusterIP":"10.96.0.10","ports":[{"port":53}]}""").ShouldBe(
            "Service \"b\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: provided IP is already allocated");
    }

    [Fact]
    public void Addresses_run_out()
    {
        var small = new ServiceRanges(IPNetwork.Parse("10.0.0.0/30"));

        small.FreeAddress(_ => false).ShouldBeOneOf("10.0.0.1", "10.0.0.2");
        small.FreeAddress(address => address == "10.0.0.1").ShouldBe("10.0.0.2");
        small.FreeAddress(_ => true).ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"clusterIP":"10.1.2.3","ports":[{"port":80}]}""", "The range of valid IPs is 10.96.0.0/16")]
    [InlineData("""{"clusterIP":"nonsense","ports":[{"port":80}]}""", "must be a valid IP address")]
    [InlineData("""{"type":"NodePort","ports":[{"port":80,"nodePort":80}]}""", "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767")]
    [InlineData("""{"ports":[{"port":80,"nodePort":30080}]}""", "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'")]
    [InlineData("""{"ipFamilyPolicy":"RequireDualStack","ports":[{"port":80}]}""", "not configured for dual-stack")]
    [InlineData("""{"ipFamilies":["IPv6"],"ports":[{"port":80}]}""", "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster")]
    public void What_cannot_be_given_is_refused(string spec, string expected) => Failure("a", spec).ShouldContain(expected);

    [Fact]
    public void Node_port_is_given_once_for_a_protocol()
    {
        Create("a", """{"type":"NodePort","ports":[{"port":53,"nodePort":30053}]}""");

        Failure("b", """{"type":"NodePort","ports":[{"port":53,"nodePort":30053}]}""").ShouldContain("provided port is already allocated");
        Create("c", """{"type":"NodePort","ports":[{"port":53,"protocol":"UDP","nodePort":30053}]}""").Name().ShouldBe("c");
    }

    [Fact]
    public void Update_that_leaves_them_out_keeps_address_and_port()
    {
        var before = Create("a", """{"type":"NodePort","ports":[{"port":80}]}""");

        var after = Allocate(Service("a", """{"type":"NodePort","ports":[{"port":80}]}"""), before);

        after.Text("spec", "clusterIP").ShouldBe(before.Text("spec", "clusterIP"));
        after.Maps("spec", "ports").Single().Number("nodePort").ShouldBe(before.Maps("spec", "ports").Single().Number("nodePort"));
    }

    [Fact]
    public void Update_to_another_type_gives_up_what_it_does_not_have()
    {
        var before = Create("a", """{"type":"NodePort","ports":[{"port":80,"nodePort":30080}]}""");

        Allocate(Service("a", """{"type":"ClusterIP","ports":[{"port":80,"nodePort":30080}]}"""), before)
            .Maps("spec", "ports").Single()["nodePort"].ShouldBeNull();
        Allocate(Service("a", """{"type":"ExternalName","externalName":"x.example"}"""), before).At("spec", "clusterIP").ShouldBeNull();
    }

    [Fact]
    public void Headless_service_stays_headless() => Create("a", """{"clusterIP":"None"}""").At("spec", "clusterIPs").ShouldBeJson("""["None"]""");

    private static JsonObject Service(string name, string spec)
    {
        var service = new JsonObject { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" }, ["spec"] = Objects.Json(spec) };
        ServiceDefaults.Service(service);
        return service;
    }

    private JsonObject Create(string name, string spec) => store.Create(BuiltInKinds.Services, Allocate(Service(name, spec), old: null));

    private JsonObject Allocate(JsonObject service, JsonObject? old)
    {
        var errors = new FieldErrors();
        new ServiceAllocator(store, ranges).Allocate(service, old, errors);
        errors.ThrowIfAny(Kind, service.Name());
        return service;
    }

    private string Failure(string name, string spec) => Should.Throw<StatusException>(() => Create(name, spec)).Message;
}
