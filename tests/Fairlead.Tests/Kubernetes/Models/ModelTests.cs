using System.Text.Json;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Kubernetes.Models;

public sealed class ModelTests
{
    [Fact]
    public void EndpointSlice_as_go_writes_it_without_endpoints_has_none()
    {
        var slice = Read(Resources.EndpointSlices, """{"metadata":null,"addressType":"IPv4","endpoints":null,"ports":null}""");

        slice.Endpoints.ShouldBeEmpty();
        slice.Ports.ShouldBeEmpty();
        slice.Metadata.ShouldNotBeNull();
    }

    [Fact]
    public void EndpointSlice_conditions_that_are_unknown_stay_unknown()
    {
        var slice = Read(Resources.EndpointSlices, """{"metadata":{},"endpoints":[{"addresses":["10.244.0.5"],"conditions":{"ready":false}},{"addresses":["10.244.0.6"]}]}""");

        slice.Endpoints[0].Conditions.Ready.ShouldBe(false);
        slice.Endpoints[0].Conditions.Serving.ShouldBeNull();
        slice.Endpoints[1].Conditions.Ready.ShouldBeNull();
    }

    [Fact]
    public void Names_with_capitals_of_their_own_are_read_and_written()
    {
        const string Json = """{"metadata":{},"spec":{"nodeName":"n"},"status":{"podIP":"10.244.0.5","podIPs":[{"ip":"10.244.0.5"}],"hostIP":"198.18.0.2","containerStatuses":[{"name":"c","ready":true,"restartCount":0,"imageID":"i","containerID":"x","state":{"running":{"startedAt":"2026-01-02T03:04:05Z"}}}]}}""";

        var pod = Read(Resources.Pods, Json);

        pod.Status!.PodIPs.Single().Ip.ShouldBe("10.244.0.5");
        pod.Status.ContainerStatuses[0].ContainerId.ShouldBe("x");
        var written = JsonSerializer.Serialize(pod, Resources.Pods.Json);
        written.ShouldContain("\"podIPs\":[{\"ip\":\"10.244.0.5\"}]");
        written.ShouldContain("\"hostIP\":\"198.18.0.2\"");
        written.ShouldContain("\"startedAt\":\"2026-01-02T03:04:05Z\"");
        Read(Resources.Services, """{"spec":{"clusterIP":"None","clusterIPs":["None"],"externalIPs":["1.2.3.4"]}}""").Spec.ClusterIPs.ShouldBe(["None"]);
        Read(Resources.Nodes, """{"spec":{"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]}}""").Spec.PodCidrs.ShouldBe(["10.244.0.0/24"]);
        Read(Resources.ClusterRoles, """{"rules":[{"nonResourceURLs":["/version"],"verbs":["get"]}]}""").Rules[0].NonResourceUrls.ShouldBe(["/version"]);
    }

    [Theory]
    [InlineData("80", 80, null)]
    [InlineData("\"http\"", null, "http")]
    [InlineData("\"25%\"", null, "25%")]
    public void IntOrString_keeps_its_kind(string json, int? number, string? text)
    {
        var service = Read(Resources.Services, "{\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":" + json + "}]}}");

        var target = service.Spec.Ports[0].TargetPort!.Value;
        (target.Number, target.Text).ShouldBe((number, text));
        JsonSerializer.Serialize(service, Resources.Services.Json).ShouldContain($"\"targetPort\":{json}");
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("true")]
    [InlineData("4294967296")]
    public void IntOrString_of_something_else_is_an_error(string json) =>
        Should.Throw<JsonException>(() => Read(Resources.Services, "{\"spec\":{\"ports\":[{\"port\":80,\"targetPort\":" + json + "}]}}"));

    [Theory]
    [InlineData("2026-01-02T03:04:05Z")]
    [InlineData("2026-01-02T04:04:05.000000+01:00")]
    public void Times_in_any_zone_and_precision_are_read(string time) =>
        Read(Resources.Leases, $$$"""{"spec":{"renewTime":"{{{time}}}"}}""").Spec.RenewTime!.Value.ToUnixTimeSeconds().ShouldBe(1767323045);

    [Fact]
    public void Time_that_is_none_is_an_error() =>
        Should.Throw<JsonException>(() => Read(Resources.Leases, """{"spec":{"renewTime":"tomorrow"}}"""));

    [Fact]
    public void Empty_collections_are_left_out_and_empty_objects_are_not()
    {
        var binding = new RoleBinding { Metadata = { Name = "b" }, RoleRef = { Kind = "Role", Name = "r" } };

        JsonSerializer.Serialize(binding, Resources.RoleBindings.Json)
            .ShouldBe("""{"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"}}""");
    }

    [Fact]
    public void Every_resource_has_the_group_and_scope_of_the_real_api()
    {
        Resources.Events.CollectionPath("x").ShouldBe("/api/v1/namespaces/x/events");
        Resources.StatefulSets.ObjectPath("x", "y").ShouldBe("/apis/apps/v1/namespaces/x/statefulsets/y");
        Resources.ClusterRoleBindings.ObjectPath(null, "y").ShouldBe("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/y");
        Resources.CustomResourceDefinitions.ObjectPath("ignored", "y").ShouldBe("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/y");
        Resources.Leases.Kind.ShouldBe("Lease");
    }

    private static T Read<T>(ResourceType<T> type, string json)
        where T : KubeObject => JsonSerializer.Deserialize(json, type.Json)!;
}
