using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Flows;

/// <summary>Services that somebody else's address is behind: they work where what they lead to is granted, too (and are refused elsewhere: AccessTests).</summary>
public sealed class ServiceKindTests(Lab lab) : LabTest(lab)
{
    [Fact]
    public async Task External_name_leads_to_a_granted_service()
    {
        var laptop = await Lab.LaptopAsync(Way.Direct);
        await Lab.Cluster.ApplyAsync($$"""
            apiVersion: v1
            kind: Service
            metadata: { name: shopfront, namespace: {{Lab.Namespace}} }
            spec: { type: ExternalName, externalName: frontend.shop.svc.cluster.local }
            """);
        await Shell.EventuallyAsync("it answers", async () => (await laptop.CurlAsync("http://shopfront.lab/healthz")).Output == "ok\n");

        // It has no ports of its own: whatever the service that it names lacks is refused when it is asked for.
        (await laptop.CurlAsync("http://shopfront.lab:81/")).ExitCode.ShouldBeOneOf(Laptop.CurlWithoutAnswer);
    }

    [Fact]
    public async Task Service_without_a_selector_leads_to_granted_pods()
    {
        var laptop = await Lab.LaptopAsync(Way.Direct);
        await Lab.Cluster.ApplyAsync(Service("own", await PodAddressAsync(Lab.Namespace, "app=peer"), Lab.Port) + Service("front", await PodAddressAsync("shop", "app.kubernetes.io/name=frontend"), 8080));
        await Shell.EventuallyAsync("a pod of the same namespace answers", async () =>
            (await laptop.Host.ShellAsync("exec 3<>/dev/tcp/own.lab/80; echo report nothing >&3; cat <&3")).Output.StartsWith("unknown", StringComparison.Ordinal));
        await Shell.EventuallyAsync("a pod of another namespace that is granted as a whole answers", async () =>
            (await laptop.CurlAsync("http://front.lab/healthz")).Output == "ok\n");
    }

    private async Task<string> PodAddressAsync(string @namespace, string label) =>
        (await Lab.Cluster.KubectlAsync("get", "pods", "-n", @namespace, "-l", label, "-o", "jsonpath={.items[0].status.podIP}")).Text;

    private static string Service(string name, string address, int port) => $$"""
        apiVersion: v1
        kind: Service
        metadata: { name: {{name}}, namespace: {{Lab.Namespace}} }
        spec: { ports: [ { port: 80, targetPort: {{port}} } ] }
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: { name: {{name}}-1, namespace: {{Lab.Namespace}}, labels: { kubernetes.io/service-name: {{name}} } }
        addressType: IPv4
        ports: [ { port: {{port}}, protocol: TCP } ]
        endpoints: [ { addresses: [ {{address}} ], conditions: { ready: true } } ]
        ---

        """;
}
