using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Diagnosis;

/// <summary>What keeps the gateway from a service, as <c>fairlead doctor</c> finds it. The servers behave as if the thing were there, so that it takes no cluster that has it.</summary>
public sealed class DoctorTests(SharedCluster cluster) : ClusterTest(cluster)
{
    private const string Namespace = "walled";

    /// <summary>A full accept queue makes the kernel drop SYNs, as a default-deny NetworkPolicy does.</summary>
    private const string Silent = """
        import socket, time
        s = socket.socket(); s.bind(("0.0.0.0", 80)); s.listen(0)
        held = [socket.socket() for _ in range(4)]
        for c in held: c.setblocking(False); c.connect_ex(("127.0.0.1", 80))
        time.sleep(100000)
        """;

    /// <summary>What is no TLS hello (its first byte is 22) is closed without a byte, as by Envoy when no filter chain fits.</summary>
    private const string Strict = """
        import socket
        s = socket.create_server(("0.0.0.0", 80))
        while True:
            c, _ = s.accept()
            try:
                c.settimeout(5)
                first = c.recv(4096)
            except OSError:
                first = b""
            c.close()
        """;

    [Fact]
    public async Task Default_deny_policy_and_strict_mtls_are_told_apart_and_explained()
    {
        Need(ClusterFeature.Python);
        await Cluster.CreateNamespaceAsync(Namespace);
        try
        {
            await Cluster.ApplyAsync(Server("denied", "server", Silent));
            await Cluster.ApplyAsync(Server("strict", "istio-proxy", Strict));
            await Cluster.AwaitRolloutAsync(Namespace, "deploy/denied");
            await Cluster.AwaitRolloutAsync(Namespace, "deploy/strict");
            var laptop = await NewMemberAsync($"{Namespace},shop");
            await laptop.ConsumeAsync($"{Namespace}/*", "shop/frontend");
            for (var i = 0; i < 3; i++)
            {
                (await laptop.CurlAsync($"http://strict.{Namespace}/")).ExitCode.ShouldBeOneOf(Laptop.CurlWithoutAnswer);
            }

            var report = (await laptop.FairleadAsync("doctor")).ShouldFail(1).Output;
            report.ShouldContain("The gateway reaches 1 of the 3 services that were tried.");
            report.ShouldContain($"denied.{Namespace}.svc:80 does not answer the gateway");
            report.ShouldContain($"a NetworkPolicy of namespace {Namespace} lets nothing in from namespace fairlead");
            report.ShouldContain($"kubectl get networkpolicies -n {Namespace}");
            report.ShouldContain($"strict.{Namespace}.svc:80 takes connections and closes them before a byte comes back");
            report.ShouldContain("part of the mesh Istio");
            report.ShouldContain("kubectl get peerauthentications -A");
        }
        finally
        {
            await Cluster.RemoveNamespaceAsync(Namespace);
        }
    }

    private string Server(string name, string container, string program) => $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: {{name}}, namespace: {{Namespace}} }
        spec:
          selector: { matchLabels: { app: {{name}} } }
          template:
            metadata: { labels: { app: {{name}} } }
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - name: {{container}}
                image: "{{Cluster.PythonImage}}"
                command: [ python3, -c, {{System.Text.Json.JsonSerializer.Serialize(program)}} ]
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: {{name}}, namespace: {{Namespace}} }
        spec: { selector: { app: {{name}} }, ports: [ { port: 80 } ] }
        """;
}
