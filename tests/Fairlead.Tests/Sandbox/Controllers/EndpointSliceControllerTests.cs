using System.Text.Json.Nodes;
using Fairlead.Sandbox.Controllers;

namespace Fairlead.Tests.Sandbox.Controllers;

public sealed class EndpointSliceControllerTests
{
    private const string Ready = """{"podIP":"10.244.0.2","phase":"Running","conditions":[{"type":"Ready","status":"True"}]}""";
    private const string Unready = """{"podIP":"10.244.0.3","phase":"Running","conditions":[{"type":"Ready","status":"False"}]}""";
    private const string Named = """{"containers":[{"name":"c","ports":[{"name":"http","containerPort":8080}]}]}""";

    [Fact]
    public void Ready_and_unready_pods_are_told_apart_and_those_without_address_are_left_out()
    {
        var slice = Render("""{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}""",
            Manifest.Pod("a", status: Ready), Manifest.Pod("b", status: Unready), Manifest.Pod("c")).ShouldHaveSingleItem();

        Conditions(slice, 0).ShouldBe("""{"ready":true,"serving":true,"terminating":false}""");
        Conditions(slice, 1).ShouldBe("""{"ready":false,"serving":false,"terminating":false}""");
        slice["endpoints"]!.AsArray().Count.ShouldBe(2);
        slice["ports"]!.ToJsonString().ShouldBe("""[{"name":"","protocol":"TCP","port":8080}]""");
    }

    [Fact]
    public void Pod_that_ends_still_serves_but_is_not_ready()
    {
        var pod = Manifest.Pod("a", status: Ready);
        pod["metadata"]!["deletionTimestamp"] = "2026-01-01T00:00:00Z";

        Conditions(Render("""{"selector":{"app":"web"},"ports":[{"port":80}]}""", pod).Single(), 0).ShouldBe("""{"ready":false,"serving":true,"terminating":true}""");
    }

    [Fact]
    public void Unready_addresses_are_published_when_the_service_says_so() =>
        Conditions(Render("""{"publishNotReadyAddresses":true,"ports":[{"port":80}]}""", Manifest.Pod("b", status: Unready)).Single(), 0)
            .ShouldBe("""{"ready":true,"serving":true,"terminating":false}""");

    [Fact]
    public void Named_target_port_is_looked_up_in_each_pod()
    {
        var other = Named.Replace("8080", "9090");

        var slices = Render("""{"selector":{"app":"web"},"ports":[{"name":"web","port":80,"targetPort":"http"}]}""",
            Manifest.Pod("a", Named, Ready), Manifest.Pod("b", other, Unready)).ToArray();

        slices.Select(s => (int)s["ports"]![0]!["port"]!).ShouldBe([8080, 9090], ignoreOrder: true);
        slices.Select(s => (string)s["metadata"]!["name"]!).Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public void Host_name_is_published_for_pods_of_the_service_only()
    {
        var pod = Manifest.Pod("db-0", """{"hostname":"db-0","subdomain":"web","containers":[]}""", Ready);
        var foreign = Manifest.Pod("x", """{"hostname":"x","subdomain":"other","containers":[]}""", Ready);

        var endpoints = Render("""{"clusterIP":"None","ports":[{"port":80}]}""", pod, foreign).Single()["endpoints"]!.AsArray();

        endpoints.Select(e => (string?)e!["hostname"]).ShouldBe(["db-0", null]);
    }

    private static IEnumerable<JsonObject> Render(string spec, params JsonObject[] pods) => EndpointSliceController.Render(Manifest.Service("web", spec), pods);

    private static string Conditions(JsonObject slice, int index) => slice["endpoints"]![index]!["conditions"]!.ToJsonString();
}
