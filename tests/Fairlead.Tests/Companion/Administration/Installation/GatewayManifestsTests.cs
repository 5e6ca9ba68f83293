using System.Text.Json.Nodes;
using Fairlead.Companion.Administration.Installation;
using Fairlead.Companion.Administration.Values;

namespace Fairlead.Tests.Companion.Administration.Installation;

public sealed class GatewayManifestsTests
{
    [Fact]
    public void Defaults_make_these_objects_in_this_order()
    {
        Make().Select(o => $"{ObjectReference.Of(o)}").ShouldBe(
        [
            "Namespace fairlead", "CustomResourceDefinition grants.fairlead.dev", "ServiceAccount fairlead/fairlead-gateway",
            "ClusterRole fairlead-gateway", "ClusterRoleBinding fairlead-gateway", "Role fairlead/fairlead-gateway", "RoleBinding fairlead/fairlead-gateway",
            "ClusterRole fairlead-user", "Role fairlead/fairlead-user", "ClusterRole fairlead-consumer", "ClusterRole fairlead-attacher",
            "ClusterRole fairlead-gateway-watch", "ClusterRoleBinding fairlead-gateway-watch",
            "ConfigMap fairlead/fairlead-client", "Deployment fairlead/fairlead-gateway", "PodDisruptionBudget fairlead/fairlead-gateway", "Service fairlead/fairlead-gateway",
        ]);
    }

    [Fact]
    public void Namespace_is_the_chosen_one_everywhere()
    {
        var text = string.Concat(GatewayManifests.Make(new GatewayValues(), "tools").Select(o => o.ToJsonString()));
        text.ShouldNotContain("\"namespace\":\"fairlead\"");
        text.ShouldContain("\"namespace\":\"tools\"");
        text.ShouldNotContain("{{");
    }

    [Fact]
    public void Rights_are_the_least()
    {
        var objects = Make();
        var roles = objects.Where(o => Kind(o) is "ClusterRole").ToDictionary(
            o => o["metadata"]!["name"]!.GetValue<string>(),
            o => o["rules"]!.AsArray().SelectMany(r => Texts(r!, "resources").Select(what => $"{string.Join(' ', Texts(r!, "verbs"))} {string.Join(' ', [what, .. Texts(r!, "resourceNames")])}")));
        roles["fairlead-gateway"].ShouldBe(
        [
            "get list watch nodes", "list servicecidrs",
            "get list watch certificatesigningrequests", "update certificatesigningrequests/approval", "update certificatesigningrequests/status",
            "approve sign signers fairlead.dev/client", "create subjectaccessreviews",
        ]);
        roles["fairlead-gateway-watch"].ShouldBe(["get list watch services", "get list watch pods", "get list watch endpointslices"]);
        roles["fairlead-user"].ShouldBe(["create get watch certificatesigningrequests"]);
        roles["fairlead-consumer"].ShouldBe(["consume spaces"]);
        roles["fairlead-attacher"].ShouldBe(["create attachments"]);
        objects.SelectMany(o => (o["rules"] as JsonArray ?? []).Select(r => r!.ToJsonString())).ShouldAllBe(r => !r.Contains('*'));
    }

    [Fact]
    public void Limited_to_namespaces_it_has_a_role_in_each_and_none_for_all()
    {
        var roles = Make(v => v.Namespaces = ["shop", "dev"]).Where(o => o["metadata"]!["name"]!.GetValue<string>() == "fairlead-gateway-watch").ToList();
        roles.Where(o => Kind(o) == "Role").Select(o => o["metadata"]!["namespace"]!.GetValue<string>()).ShouldBe(["shop", "dev", "fairlead", "default"]);
        roles.ShouldAllBe(o => Kind(o) == "Role" || Kind(o) == "RoleBinding");
        roles.Single(o => Kind(o) == "Role" && o["metadata"]!["namespace"]!.GetValue<string>() == "default")["rules"]!.AsArray()
            .ShouldAllBe(r => Texts(r!, "resourceNames").SequenceEqual(new[] { "kubernetes" }));
    }

    [Fact]
    public void Pods_pass_the_strictest_pod_security_level()
    {
        var pod = Make().Single(o => Kind(o) == "Deployment")["spec"]!["template"]!["spec"]!;
        pod["securityContext"]!.ToJsonString().ShouldBe("""{"runAsNonRoot":true,"runAsUser":65532,"runAsGroup":65532,"seccompProfile":{"type":"RuntimeDefault"},"sysctls":[{"name":"net.ipv4.ping_group_range","value":"65532 65532"}]}""");
        pod["containers"]![0]!["securityContext"]!.ToJsonString().ShouldBe("""{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}}""");
    }

    [Fact]
    public void Choices_arrive_where_they_belong()
    {
        var objects = Make(v =>
        {
            v.Image.Digest = "sha256:" + new string('a', 64);
            v.Image.PullSecrets = ["pull"];
            v.Replicas = 3;
            v.Endpoints = ["gw.example.com:443:8444", "[fd00::1]:443:0"];
            v.Service.Type = "LoadBalancer";
            v.Service.NodePorts.Api = 0;
            v.Service.LoadBalancerClass = "example.com/internal";
            v.Service.LoadBalancerIP = "203.0.113.1";
            v.Ingress.Enabled = true;
            v.Ingress.Host = "in.example.com";
            v.NetworkPolicy.Enabled = true;
            v.PodLabels = new() { ["team"] = "a", ["app.kubernetes.io/name"] = "other" };
            v.Client.Routing.NeverProxySubnets = ["10.8.0.0/16", "10.9.0.0/16"];
        });
        var deployment = objects.Single(o => Kind(o) == "Deployment")["spec"]!;
        deployment["replicas"]!.GetValue<int>().ShouldBe(3);
        var labels = deployment["template"]!["metadata"]!["labels"]!;
        (labels["team"]!.GetValue<string>(), labels["app.kubernetes.io/name"]!.GetValue<string>()).ShouldBe(("a", "fairlead-gateway"));
        var container = deployment["template"]!["spec"]!["containers"]![0]!;
        container["image"]!.GetValue<string>().ShouldBe("fairlead/fairlead@sha256:" + new string('a', 64));
        var variables = container["env"]!.AsArray().ToDictionary(e => e!["name"]!.GetValue<string>(), e => e!["value"]?.GetValue<string>());
        (variables["FAIRLEAD_ENDPOINTS"], variables["FAIRLEAD_INGRESS_HOST"]).ShouldBe(("gw.example.com:443:8444,[fd00::1]:443:0", "in.example.com"));
        var service = objects.Single(o => Kind(o) == "Service")["spec"]!;
        service["loadBalancerClass"]!.GetValue<string>().ShouldBe("example.com/internal");
        service["loadBalancerIP"]!.GetValue<string>().ShouldBe("203.0.113.1");
        service["ports"]!.AsArray().Select(p => p!["nodePort"]?.GetValue<int>()).ShouldBe([null, 30444]);
        objects.Single(o => Kind(o) == "Ingress")["spec"]!["rules"]![0]!["host"]!.GetValue<string>().ShouldBe("in.example.com");
        objects.Count(o => Kind(o) == "NetworkPolicy").ShouldBe(1);
        objects.Single(o => o["metadata"]!["name"]!.GetValue<string>() == "fairlead-client")["data"]!["never-proxy-subnets"]!.GetValue<string>().ShouldBe("10.8.0.0/16,10.9.0.0/16");
    }

    private static IReadOnlyList<JsonObject> Make(Action<GatewayValues>? choose = null)
    {
        var values = new GatewayValues();
        choose?.Invoke(values);
        return GatewayManifests.Make(values, "fairlead");
    }

    private static string Kind(JsonObject value) => value["kind"]!.GetValue<string>();

    private static IEnumerable<string> Texts(JsonNode rule, string field) => rule[field]?.AsArray().Select(v => v!.GetValue<string>()) ?? [];
}
