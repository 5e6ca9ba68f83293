using System.Diagnostics;
using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;
using Fairlead.Tunnel;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>Flows to addresses, as a laptop that is connected opens them: by a gateway's own protocol, whatever captures them.</summary>
public sealed class AddressTests(Lab lab) : LabTest(lab)
{
    private const int UnusedPort = 9002;

    [Fact]
    public async Task Hello_tells_the_subnets_that_services_and_pods_have_their_addresses_in()
    {
        await using var probe = await JoinAsync("subnets");
        ClusterNetwork? told = null;
        await Shell.EventuallyAsync("the subnets are told", async () => (told = (await probe.HelloAsync()).Network) is not null);
        var hello = await probe.HelloAsync();
        hello.Capabilities.ShouldContain(GatewayCapabilities.Addresses);
        foreach (var address in (await AllAsync("services", "{.items[*].spec.clusterIP}")).Where(a => a != "None"))
        {
            told!.ServiceSubnets.ShouldContain(subnet => IPNetwork.Parse(subnet).Contains(IPAddress.Parse(address)), $"of service {address}");
        }

        foreach (var address in await AllAsync("pods", "{.items[?(@.spec.hostNetwork!=true)].status.podIP}", "--field-selector=status.phase=Running"))
        {
            told!.PodSubnets.ShouldContain(subnet => IPNetwork.Parse(subnet).Contains(IPAddress.Parse(address)), $"of pod {address}");
        }

        told!.DnsAddress.ShouldNotBeNull();
        told.ClusterDomain.ShouldBe("cluster.local");
    }

    [Fact]
    public async Task Flow_to_an_address_is_what_a_pod_of_the_cluster_would_get()
    {
        await using var probe = await JoinAsync("addresses");
        var (pod, service) = (await PodAsync(), await ServiceAsync());
        foreach (var address in new[] { pod, service })
        {
            (await probe.TalkAsync(address, Lab.Port, "report nothing\n")).Answer.ShouldStartWith("unknown");
            (await probe.SendAsync(TransportProtocol.Udp, address, Lab.DatagramPort, [1, 2, 3])).Answer.ShouldBe([1, 2, 3]);

            // Refused by the pod itself; and by the proxy, as it refuses any port that a service lacks.
            (await probe.TalkAsync(address, UnusedPort, "")).Failure.ShouldBe(FlowFailure.ConnectionRefused);
            (await probe.SendAsync(TransportProtocol.Udp, address, UnusedPort, [1])).Failure.ShouldBe(FlowFailure.ConnectionRefused);
        }
    }

    [Fact]
    public async Task Echo_request_is_answered_by_who_has_the_address_and_unreachable_where_nobody_answers()
    {
        await using var probe = await JoinAsync("echo");
        (await probe.SendAsync(TransportProtocol.Icmp, await PodAsync(), 0, [0, 7, 1, 2, 3, 4])).Answer.ShouldBe([0, 7, 1, 2, 3, 4]);
        var large = new byte[4002];
        (await probe.SendAsync(TransportProtocol.Icmp, await PodAsync(), 0, large)).Answer.ShouldBe(large);

        // Nobody has the address of a service, but where its node does (kube-proxy's mode ipvs).
        (await probe.SendAsync(TransportProtocol.Icmp, await ServiceAsync(), 0, [0, 1])).Failure.ShouldBeOneOf(FlowFailure.Unreachable, FlowFailure.None);
    }

    [Fact]
    public async Task Flow_to_what_was_not_granted_is_denied_until_a_grant_names_it()
    {
        await using var probe = await JoinAsync("denied");
        var node = (await Lab.Cluster.KubectlAsync("get", "pods", "-n", Lab.Namespace, "-o", "jsonpath={.items[0].status.hostIP}")).Text;
        (await probe.TalkAsync(node, 10250, "")).Failure.ShouldBe(FlowFailure.Denied);
        var api = (await Lab.Cluster.KubectlAsync("get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}")).Text;
        (await probe.TalkAsync(api, 443, "")).Failure.ShouldBe(FlowFailure.Denied);
        (await probe.TalkAsync("127.0.0.1", 8080, "")).Failure.ShouldBe(FlowFailure.Denied);
        var frontend = (await Lab.Cluster.KubectlAsync("get", "service", "frontend", "-n", "shop", "-o", "jsonpath={.spec.clusterIP}")).Text;
        (await probe.TalkAsync(frontend, 80, "")).Failure.ShouldBe(FlowFailure.Denied);
        await Lab.Cluster.ApplyAsync($$"""
            apiVersion: fairlead.dev/v1alpha1
            kind: Grant
            metadata: { name: probe-denied-addresses, namespace: fairlead }
            spec: { subjects: ["invite:probe-denied"], rules: [ { cidrs: ["{{node}}/32"] } ] }
            """);

        // Whether it is refused there or nothing answers is up to the node.
        await Shell.EventuallyAsync("the node is dialled", async () => (await probe.TalkAsync(node, 1, "")).Failure != FlowFailure.Denied);
        (await probe.TalkAsync(frontend, 80, "")).Failure.ShouldBe(FlowFailure.Denied);
        (await Lab.Cluster.KubectlAsync("delete", "grant", "probe-denied-addresses", "-n", "fairlead")).ShouldSucceed();
    }

    [Fact]
    public async Task Catalog_tells_a_new_service_with_its_address()
    {
        await using var probe = await JoinAsync("catalog");
        var created = 0L;
        await foreach (var change in probe.WatchAsync())
        {
            if (change.Type == CatalogEventType.Synced)
            {
                await Lab.Cluster.ApplyAsync($$"""
                    apiVersion: v1
                    kind: Service
                    metadata: { name: fresh, namespace: {{Lab.Namespace}} }
                    spec: { selector: { app: peer }, ports: [ { port: {{Lab.Port}} } ] }
                    """);
                created = Stopwatch.GetTimestamp();
            }

            if (change is { Type: CatalogEventType.Put, Service.Name: "fresh" })
            {
                // When the command that made it was over, which was later than the service's own time.
                TestContext.Current.SendDiagnosticMessage($"a new service was told {Stopwatch.GetElapsedTime(created).TotalMilliseconds:0} ms after kubectl had ended");
                change.Service.Addresses.ShouldBe([(await Lab.Cluster.KubectlAsync("get", "service", "fresh", "-n", Lab.Namespace, "-o", "jsonpath={.spec.clusterIP}")).Text]);
                break;
            }
        }

        (await Lab.Cluster.KubectlAsync("delete", "service", "fresh", "-n", Lab.Namespace)).ShouldSucceed();
    }

    private static Task<GatewayProbe> JoinAsync(Cluster cluster, string name) => GatewayProbe.JoinAsync(cluster, "probe-" + name, Lab.Namespace);

    private Task<GatewayProbe> JoinAsync(string name) => JoinAsync(Lab.Cluster, name);

    private async Task<string> PodAsync() => (await Lab.Cluster.KubectlAsync("get", "pods", "-n", Lab.Namespace, "-l", "app=peer", "-o", "jsonpath={.items[0].status.podIP}")).Text;

    private async Task<string> ServiceAsync() => (await Lab.Cluster.KubectlAsync("get", "service", "peer", "-n", Lab.Namespace, "-o", "jsonpath={.spec.clusterIP}")).Text;

    private async Task<string[]> AllAsync(string kind, string path, params string[] more) =>
        (await Lab.Cluster.KubectlAsync(["get", kind, "-A", "-o", $"jsonpath={path}", .. more])).Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
