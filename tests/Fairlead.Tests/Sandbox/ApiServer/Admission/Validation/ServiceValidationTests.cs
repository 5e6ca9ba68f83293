using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.ApiServer.Admission;
using Fairlead.Sandbox.ApiServer.Admission.Validation;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Tests.Sandbox.ApiServer.Admission.Validation;

public sealed class ServiceValidationTests
{
    [Theory]
    [InlineData("IPv4", "169.254.169.254", "link-local range")]
    [InlineData("IPv4", "127.0.0.1", "loopback range")]
    [InlineData("IPv4", "0.0.0.0", "unspecified")]
    [InlineData("IPv4", "224.0.0.1", "link-local multicast range")]
    [InlineData("IPv6", "fe80::1", "link-local range")]
    [InlineData("IPv6", "::1", "loopback range")]
    [InlineData("IPv4", "fd00::1", "must be an IPv4 address")]
    public void EndpointSlice_with_an_address_that_is_no_endpoints_is_refused(string type, string address, string why) =>
        Should.Throw<StatusException>(() => Validate(type, address)).Message.ShouldSatisfyAllConditions(
            m => m.ShouldStartWith("EndpointSlice.discovery.k8s.io \"s\" is invalid: endpoints[0].addresses[0]: Invalid value"), m => m.ShouldContain(why));

    [Theory]
    [InlineData("IPv4", "10.244.0.7")]
    [InlineData("IPv4", "168.63.129.16")]
    [InlineData("IPv6", "fd00::1")]
    [InlineData("FQDN", "db.example.com")]
    public void EndpointSlice_with_any_other_address_is_taken(string type, string address) => Should.NotThrow(() => Validate(type, address));

    private static void Validate(string type, string address)
    {
        var slice = new JsonObject { ["addressType"] = type, ["endpoints"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray(address) }) };
        var errors = new FieldErrors();
        ServiceValidation.EndpointSlice(new ObjectValidation(slice, null, errors));
        errors.ThrowIfAny(BuiltInKinds.All.Single(k => k.Id == BuiltInKinds.EndpointSlices), "s");
    }
}
