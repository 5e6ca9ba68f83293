using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Sandbox;

/// <summary>What can be reached from where, with real packets.</summary>
public sealed class SandboxNetworkTests(OwnSandbox sandbox) : IClassFixture<OwnSandbox>
{
    private const string Web = """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: NS}
        spec:
          replicas: 3
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - name: web
                image: host
                command: [sh, -c, 'mkdir /tmp/w; hostname > /tmp/w/name; touch /tmp/ready; exec python3 -m http.server --directory /tmp/w 8080']
                ports: [{name: http, containerPort: 8080}]
                readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1, failureThreshold: 1}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: NS}
        spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: nobody, namespace: NS}
        spec: {selector: {app: nobody}, ports: [{port: 80}]}
        """;

    [Fact]
    public async Task Pods_and_cluster_addresses_from_the_host_cannot_be_reached_even_with_added_routes()
    {
        var ns = await WebAsync("isolation");
        var pod = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[0].status.podIP}")).Text;
        var service = await AddressAsync(ns, "web");
        await sandbox.Host.ShellAsync("ip route add 10.244.0.0/16 via 198.18.0.2; ip route add 10.96.0.0/16 via 198.18.0.2; ip neigh flush all");
        try
        {
            foreach (var url in new[] { $"http://{pod}:8080/name", $"http://{service}/name" })
            {
                (await sandbox.Host.RunAsync("curl", "-sS", "--max-time", "2", url)).ExitCode.ShouldBe(28, $"{url} answers the host");
            }

            (await sandbox.Host.RunAsync("ping", "-c", "1", "-W", "1", pod)).ExitCode.ShouldBe(1);
            (await sandbox.Host.ShellAsync("python3 -c \"import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.sendto(bytes(12), ('10.96.0.10', 53)); s.recv(512)\"")).ExitCode.ShouldBe(1);
            var nodePort = (await sandbox.KubectlAsync("get", "service", "web", "-n", ns, "-o", "jsonpath={.spec.ports[0].nodePort}")).Text;
            (await sandbox.Host.RunAsync("curl", "-sS", "--max-time", "5", $"http://198.18.0.2:{nodePort}/name")).Text.ShouldStartWith("web-");
            (await sandbox.Host.RunAsync("curl", "-sS", "--max-time", "5", "http://198.18.0.2:53/")).ExitCode.ShouldBe(7, "only NodePorts are open on the node");
        }
        finally
        {
            await sandbox.Host.ShellAsync("ip route del 10.244.0.0/16; ip route del 10.96.0.0/16");
        }
    }

    [Fact]
    public async Task Service_balances_over_ready_endpoints_only_and_refuses_when_there_are_none()
    {
        var ns = await WebAsync("balance");
        var pods = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[*].metadata.name}")).Text.Split(' ');
        (await NamesAsync(ns)).ShouldBe(pods, ignoreOrder: true);

        (await sandbox.InPodAsync(ns, pods[0], "rm /tmp/ready")).ShouldSucceed();
        await Shell.EventuallyAsync("the unready pod gets no connections", async () => !(await NamesAsync(ns)).Contains(pods[0]));
        (await NamesAsync(ns)).ShouldBe(pods[1..], ignoreOrder: true);

        (await sandbox.InPodAsync(ns, pods[0], "curl -sS --max-time 5 http://nobody/")).ExitCode.ShouldBe(7, "no endpoints means refused at once");
        (await sandbox.InPodAsync(ns, pods[0], "curl -sS --max-time 5 http://10.96.77.77/")).ExitCode.ShouldBe(7, "an address of no service is refused");
        (await sandbox.InPodAsync(ns, pods[0], "curl -sS --max-time 5 http://198.18.0.1:22/")).ExitCode.ShouldBe(7, "the host is not reached but for the API server");
    }

    [Fact]
    public async Task Pod_reaches_itself_through_its_own_service()
    {
        var ns = await WebAsync("hairpin", replicas: 1);
        var pod = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[0].metadata.name}")).Text;

        (await sandbox.InPodAsync(ns, pod, "curl -sS --max-time 5 http://web/name")).Text.ShouldBe(pod);
    }

    [Fact]
    public async Task Udp_client_that_keeps_its_port_reaches_the_successor_of_a_vanished_endpoint()
    {
        var ns = await sandbox.NamespaceAsync("udp");
        await sandbox.ApplyAsync("""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: echo, namespace: udp}
            spec:
              selector: {matchLabels: {app: echo}}
              template:
                metadata: {labels: {app: echo}}
                spec:
                  terminationGracePeriodSeconds: 0
                  containers:
                  - {name: echo, image: host, command: [python3, -c, "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 7)); h=socket.gethostname().encode()\nwhile True: s.sendto(h, s.recvfrom(2048)[1])"]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: echo, namespace: udp}
            spec: {selector: {app: echo}, ports: [{port: 7, protocol: UDP}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client, namespace: udp}
            spec:
              terminationGracePeriodSeconds: 0
              containers:
              - name: client
                image: host
                command: [python3, -uc, "import socket,time; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5555)); s.settimeout(0.1); a=(socket.gethostbyname('echo'), 7)\nwhile True:\n  try: s.sendto(b'x', a); print(s.recv(2048).decode())\n  except OSError: pass\n  time.sleep(0.05)"]
            """);
        async Task<string> LastAsync() => (await sandbox.KubectlAsync("logs", "-n", ns, "client", "--tail=1")).Output.Trim();
        await Shell.EventuallyAsync("the first endpoint answers", async () => (await LastAsync()).StartsWith("echo-", StringComparison.Ordinal));
        var first = await LastAsync();

        (await sandbox.KubectlAsync("delete", "pod", "-n", ns, first)).ShouldSucceed();

        await Shell.EventuallyAsync("its successor answers the same socket", async () => await LastAsync() is var last && last.Length > 0 && last != first);
    }

    [Fact]
    public async Task Cluster_dns_answers_services_pods_ports_and_addresses_and_nothing_of_the_world()
    {
        var ns = await WebAsync("names");
        var pod = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[0].metadata.name}")).Text;
        var address = await AddressAsync(ns, "web");
        async Task<string> DigAsync(string query) => (await sandbox.InPodAsync(ns, pod, "dig +time=2 +tries=1 " + query)).Text;

        (await DigAsync("+short web.names.svc.cluster.local")).ShouldBe(address);
        (await DigAsync("+short +tcp +search web")).ShouldBe(address);
        (await DigAsync($"+short -x {address}")).ShouldBe("web.names.svc.cluster.local.");
        (await DigAsync("+short SRV _http._tcp.web.names.svc.cluster.local")).ShouldBe("0 100 80 web.names.svc.cluster.local.");
        (await DigAsync("AAAA web.names.svc.cluster.local")).ShouldContain("status: NOERROR");
        (await DigAsync("nothing.names.svc.cluster.local")).ShouldContain("status: NXDOMAIN");
        (await DigAsync("example.com")).ShouldContain("status: NXDOMAIN");
    }

    private async Task<string> WebAsync(string ns, int replicas = 3)
    {
        await sandbox.NamespaceAsync(ns);
        await sandbox.ApplyAsync(Web.Replace("NS", ns).Replace("replicas: 3", $"replicas: {replicas}"));
        (await sandbox.KubectlAsync("rollout", "status", "deployment/web", "-n", ns, "--timeout=30s")).ShouldSucceed();
        var pod = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[0].metadata.name}")).Text;
        await Shell.EventuallyAsync("the service answers", async () => (await sandbox.InPodAsync(ns, pod, "curl -sS --max-time 2 http://web/name")).ExitCode == 0);
        return ns;
    }

    /// <summary>Who answers sixty connections: with three endpoints the odds to miss one are 1 to 10^10.</summary>
    private async Task<string[]> NamesAsync(string ns)
    {
        var pod = (await sandbox.KubectlAsync("get", "pods", "-n", ns, "-o", "jsonpath={.items[0].metadata.name}")).Text;
        var all = (await sandbox.InPodAsync(ns, pod, "for i in $(seq 60); do curl -sS --max-time 5 http://web/name; done")).Text;
        return [.. all.Split('\n').Distinct()];
    }

    private async Task<string> AddressAsync(string ns, string service) =>
        (await sandbox.KubectlAsync("get", "service", service, "-n", ns, "-o", "jsonpath={.spec.clusterIP}")).Text;
}
