using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Administration;

/// <summary>The chart and <c>fairlead gateway install --dry-run</c> make the same objects from the same values.</summary>
public sealed class ChartTests
{
    private static readonly string Chart = Path.Combine(Programs.Root, "deploy/chart");

    public static TheoryData<string> Values() =>
    [
        "{}",
        "replicas: 1\nspaceName: team\nlogLevel: debug\nendpoints: ['gw.example.com:443:8444', '[fd00::1]:443:0']\n",
        "namespaces: [shop, dev]\nnetworkPolicy: {enabled: true}\n",
        "namespaces: [default, shop]\nservice: {type: ClusterIP, annotations: {a/b: 'yes'}}\n",
        "service: {type: LoadBalancer, apiPort: 443, loadBalancerClass: example.com/internal, loadBalancerIP: 203.0.113.7, loadBalancerSourceRanges: [10.0.0.0/8], nodePorts: {api: 0}}\n",
        "ingress: {enabled: true, host: in.example.com, className: nginx, tlsSecretName: tls, annotations: {nginx.ingress.kubernetes.io/backend-protocol: HTTPS}}\n",
        "image: {repository: registry.example.com:5000/f, digest: 'sha256:0123456789012345678901234567890123456789012345678901234567890123', pullSecrets: [one, two], pullPolicy: Always}\n",
        """
        resources: {limits: {memory: 2Gi, cpu: '2'}}
        nodeSelector: {kubernetes.io/os: linux, disk: 'true'}
        tolerations: [{key: gpu, operator: Exists}, {key: x, value: 'y', effect: NoSchedule, tolerationSeconds: 5}]
        affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}}}
        priorityClassName: high
        podAnnotations: {prometheus.io/scrape: 'true'}
        podLabels: {team: a}
        """,
        """
        client:
          resolver: hosts
          routing: {allowConflictingSubnets: [10.0.0.0/8], alsoProxySubnets: [10.1.0.0/16, 'fd00::/64'], neverProxySubnets: [10.2.0.0/16]}
          dns: {includeSuffixes: [corp.example.com], excludeSuffixes: [.internal, local]}
        cluster: {virtualIPSubnet: 211.55.48.0/20}
        """,
    ];

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Chart_renders_what_dry_run_prints(string values)
    {
        var ours = await FairleadAsync(values);
        var chart = await RenderAsync(values);
        chart.Keys.Order().ShouldBe(ours.Keys.Order());
        foreach (var (name, value) in ours)
        {
            Normal(chart[name]).ShouldBe(Normal(value), name);
        }
    }

    [Fact]
    public async Task Chart_passes_helm_lint()
    {
        Assert.SkipUnless(await HasAsync("helm"), "helm is not installed");
        (await Shell.RunAsync(["helm", "lint", "--strict", Chart])).ShouldSucceed();
    }

    /// <summary>But for the namespace, which Helm makes before the chart.</summary>
    private static async Task<Dictionary<string, JsonNode>> FairleadAsync(string values)
    {
        var printed = (await Shell.RunAsync([Programs.Fairlead, "gateway", "install", "--dry-run", "-n", "tools", "--values", "-", "--kubeconfig", "/nonexistent"], values)).ShouldSucceed().Output;
        return ByName(Yaml.Parse(printed).Where(o => o["kind"]!.GetValue<string>() != "Namespace"));
    }

    private static async Task<Dictionary<string, JsonNode>> RenderAsync(string values)
    {
        if (await HasAsync("helm"))
        {
            return ByName(Yaml.Parse((await Shell.RunAsync(["helm", "template", "fairlead", Chart, "-n", "tools", "-f", "-"], values)).ShouldSucceed().Output));
        }

        Assert.SkipUnless(await HasAsync("go"), "neither helm nor go is installed");
        var all = Yaml.Parse(await File.ReadAllTextAsync(Path.Combine(Chart, "values.yaml"))).Single();
        Overlay(all, Yaml.Parse(values) is [var given] ? given : []);
        return ByName(Yaml.Parse((await Shell.RunAsync(["go", "run", Path.Combine(Programs.Root, "tests/chart/main.go"), Chart, "tools"], all.ToJsonString(), TimeSpan.FromMinutes(2))).ShouldSucceed().Output));
    }

    private static async Task<bool> HasAsync(string program) => (await Shell.RunAsync(["sh", "-c", $"command -v {program}"])).ExitCode == 0;

    private static Dictionary<string, JsonNode> ByName(IEnumerable<JsonObject> objects) =>
        objects.ToDictionary(o => $"{o["kind"]} {o["metadata"]!["namespace"]}/{o["metadata"]!["name"]}", o => (JsonNode)o);

    private static void Overlay(JsonObject below, JsonObject above)
    {
        foreach (var (key, value) in above)
        {
            if (value is JsonObject inner && below[key] is JsonObject old)
            {
                Overlay(old, inner);
            }
            else
            {
                below[key] = value?.DeepClone();
            }
        }
    }

    /// <summary>Keys in order, so that what is equal reads equal.</summary>
    private static string Normal(JsonNode? node) => node switch
    {
        JsonObject map => "{" + string.Join(",\n", map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}: {Normal(p.Value)}")) + "}",
        JsonArray list => "[" + string.Join(", ", list.Select(Normal)) + "]",
        null => "null",
        _ => node.ToJsonString(),
    };
}
