using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>One way from the laptop to the same pods: the address to ask and what is on the way.</summary>
/// <param name="Streams">Port of iperf3, or of <c>streams.py</c>.</param>
/// <param name="Echo">UDP port of <see cref="DatagramEchoes.Server"/>, where a scenario has it.</param>
internal sealed record Way(string Name, string Host, int Http, int HttpClose, int Streams, int Echo = 0);

/// <summary>
/// The cluster, a laptop, and in the cluster nginx and iperf3 behind one Service each, reached three ways: directly (NodePort: no tunnel at all),
/// through Fairlead, and through a pair of stunnels whose server is a pod like the gateway.
/// </summary>
internal sealed class Bed : IAsyncDisposable
{
    private const string Namespace = "bench";
    private readonly List<System.Diagnostics.Process> _started = [];

    public required Cluster Cluster { get; init; }

    public required Laptop Laptop { get; init; }

    public static Way Direct { get; } = new("direct", "198.18.0.2", 30080, 30081, 30520);

    public static Way Fairlead { get; } = new("fairlead", "bench.bench.svc.cluster.local", 80, 81, 5201);

    public static Way Stunnel { get; } = new("stunnel pair", "127.0.0.1", 20080, 20081, 25201);

    /// <param name="roundTripMilliseconds">0: the plain cable; else a link of our own with that round trip between laptop and cluster.</param>
    public static async Task<Bed> CreateAsync(int roundTripMilliseconds = 0)
    {
        var cluster = await Cluster.CreateAsync();
        var laptop = await cluster.NewLaptopAsync(start: false);
        var bed = new Bed { Cluster = cluster, Laptop = laptop };

        // A connection for each request: with the usual 28 000 ports the direct path meets its own connections of a minute ago, and waits seconds for a SYN's repetition.
        (await laptop.Host.RunAsync("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")).ShouldSucceed();
        if (roundTripMilliseconds > 0)
        {
            bed._started.Add(await LinkShaper.StartAsync(cluster.Host, laptop.Host, roundTripMilliseconds / 2.0));
        }

        await cluster.ApplyAsync(Manifests());
        (await cluster.KubectlAsync("rollout", "status", "-n", Namespace, "deploy/bench", "--timeout=60s")).ShouldSucceed();
        (await cluster.KubectlAsync("rollout", "status", "-n", Namespace, "deploy/stunnel", "--timeout=60s")).ShouldSucceed();
        await laptop.StartAsync();
        (await laptop.FairleadAsync("join", await cluster.InviteAsync("bench", "bench,many"))).ShouldSucceed();
        await laptop.ConsumeAsync("bench/bench");
        await bed.StartStunnelClientAsync();
        foreach (var way in new[] { Direct, Fairlead, Stunnel })
        {
            await Shell.EventuallyAsync($"{way.Name} answers", async () => (await laptop.CurlAsync($"http://{way.Host}:{way.Http}/")).ExitCode == 0);
        }

        return bed;
    }

    public async Task<IReadOnlyList<string>> PeersAsync() =>
    [
        (await Cluster.Host.ShellAsync("iperf3 --version | head -n 1")).Output.Trim(),
        (await Cluster.Host.ShellAsync("wrk -v 2>&1 | head -n 1")).Output.Trim(),
        (await Cluster.Host.ShellAsync("nginx -v 2>&1")).Output.Trim(),
        (await Cluster.Host.ShellAsync("stunnel4 -version 2>&1 | grep -o 'stunnel [0-9.]*' | head -n 1")).Output.Trim(),
    ];

    /// <summary>Resident memory of a process in MB (10^6 bytes).</summary>
    public static double ResidentMegabytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return double.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024 / 1e6;
    }

    /// <summary>Processor time of a process so far, in seconds.</summary>
    public static double ProcessorSeconds(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / 100;
    }

    /// <summary>The pid, as the real machine sees it, of the only process of this host with this in its command line.</summary>
    public static int PidOf(Host host, string pattern) => PidsOf(host, pattern)[0];

    /// <summary>The pids, as the real machine sees them, of the processes of this host (and of the pods on it) with this in their command line; at least one.</summary>
    public static IReadOnlyList<int> PidsOf(Host host, string pattern) =>
        PidsBelow(host.Pid, pattern) is { Count: > 0 } found ? found : throw new InvalidOperationException($"no process like '{pattern}' on {host.Name}");

    /// <summary>The pids of the processes that descend from this one and have this in their command line.</summary>
    public static IReadOnlyList<int> PidsBelow(int ancestor, string pattern)
    {
        return [.. Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var pid) ? pid : 0).Where(pid => pid > 0 && IsWanted(pid))];

        bool IsWanted(int pid)
        {
            try
            {
                var command = File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ');
                return command.Contains(pattern, StringComparison.Ordinal) && !command.Contains("unshare", StringComparison.Ordinal) && IsBelow(pid);
            }
            catch (IOException)
            {
                // It ended while we looked.
                return false;
            }
        }

        // Whatever was started on the host and left by its parent is a child of its first process.
        bool IsBelow(int pid)
        {
            while (pid > 1 && pid != ancestor)
            {
                pid = int.Parse(File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("PPid:", StringComparison.Ordinal))[5..], CultureInfo.InvariantCulture);
            }

            return pid == ancestor;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _started)
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
        }

        await Laptop.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    private async Task StartStunnelClientAsync()
    {
        string Service(string name, int local, int remote) => $"[{name}]\nclient = yes\naccept = 127.0.0.1:{local}\nconnect = 198.18.0.2:{remote}\nverifyChain = yes\nCAfile = /etc/bench-ca.pem\n";
        await Laptop.Host.WriteAsync("/etc/bench-ca.pem", (await Cluster.KubectlAsync("exec", "-n", Namespace, "deploy/stunnel", "--", "cat", "/etc/bench-stunnel.pem")).ShouldSucceed().Output);
        await Laptop.Host.WriteAsync("/etc/bench-stunnel.conf", "foreground = yes\ndebug = 3\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\nsslVersion = TLSv1.3\n"
            + Service("http", Stunnel.Http, 31080) + Service("close", Stunnel.HttpClose, 31081) + Service("iperf", Stunnel.Streams, 31520));
        _started.Add(Laptop.Host.Start("stunnel4", "/etc/bench-stunnel.conf"));
    }

    /// <summary>nginx and <c>streams.py</c> in one pod, behind the Service <c>bench</c>, and nothing beside it.</summary>
    public static string PodManifests() => Manifests(asPeers: false);

    /// <param name="asPeers">With iperf3 and the stunnel.</param>
    private static string Manifests(bool asPeers = true)
    {
        const string nginx = """
            worker_processes 1; daemon off; pid /tmp/nginx.pid; error_log /dev/null crit;
            events { worker_connections 20000; }
            http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp; uwsgi_temp_path /tmp; scgi_temp_path /tmp;
              server { listen 8080 backlog=4096; location / { return 200 "hello\n"; } }
              server { listen 8081 backlog=4096; keepalive_timeout 0; location / { return 200 "hello\n"; } } }
            """;
        static string Indent(string text, int by) => string.Join('\n', text.Split('\n').Select(l => new string(' ', by) + l));
        static string Service(string name, params (int Port, int Target, int Node)[] ports) =>
            $"---\napiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {Namespace} }}\nspec:\n  type: NodePort\n  selector: {{ app: {name} }}\n  ports:\n"
            + string.Concat(ports.Select(p => $"  - {{ name: p{p.Port}, port: {p.Port}, targetPort: {p.Target}, nodePort: {p.Node} }}\n"));
        static string Deployment(string name, params (string Name, string Command)[] containers) =>
            $"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name}, namespace: {Namespace} }}\nspec:\n  selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      containers:\n"
            + string.Concat(containers.Select(c => $"      - name: {c.Name}\n        image: {Settings.PodImage}\n        command: [\"sh\", \"-c\", \"{c.Command}\"]\n        volumeMounts: [{{ name: config, mountPath: /mnt }}]\n"))
            + "      volumes: [{ name: config, configMap: { name: bench } }]\n";
        const string stunnel = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench -keyout /tmp/bench-key.pem -out /etc/bench-stunnel.pem && exec stunnel4 /mnt/stunnel.conf";
        var services = "foreground = yes\ndebug = 3\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\nsslVersion = TLSv1.3\ncert = /etc/bench-stunnel.pem\nkey = /tmp/bench-key.pem\n"
            + "[http]\naccept = 8080\nconnect = bench.bench.svc.cluster.local:80\n[close]\naccept = 8081\nconnect = bench.bench.svc.cluster.local:81\n[iperf]\naccept = 5201\nconnect = bench.bench.svc.cluster.local:5201";
        return $"apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {Namespace} }}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{ name: many }}\n"
            + $"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: bench, namespace: {Namespace} }}\ndata:\n  nginx.conf: |\n{Indent(nginx, 4)}\n  stunnel.conf: |\n{Indent(services, 4)}\n  streams.py: |\n{Indent(Streams.Server, 4)}\n"
            + Deployment("bench", [("nginx", "exec nginx -c /mnt/nginx.conf"), .. asPeers ? [("echo", DatagramEchoes.Server), ("iperf3", "exec iperf3 -s -p 5201")] : (IEnumerable<(string, string)>)[("streams", "exec python3 /mnt/streams.py")]])
            + Service("bench", (80, 8080, 30080), (81, 8081, 30081), (5201, 5201, 30520)) + "  - { name: echo, port: 7, protocol: UDP }\n"
            + (asPeers ? Deployment("stunnel", ("stunnel", stunnel)) + Service("stunnel", (80, 8080, 31080), (81, 8081, 31081), (5201, 5201, 31520)) : "");
    }
}
