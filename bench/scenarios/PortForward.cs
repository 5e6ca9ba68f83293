using System.Diagnostics;
using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>
/// The port-forward carrier beside <c>kubectl port-forward</c> through the same API server of a real cluster, to the same pod. The laptop reaches nothing
/// else of the cluster.
/// </summary>
internal static class PortForward
{
    private static readonly Way _fairlead = new("port-forward carrier", "bench.bench.svc.cluster.local", 80, 81, 5201);
    private static readonly Way _kubectl = new("kubectl port-forward", "127.0.0.1", 21080, 21081, 25201);
    private static readonly Way[] _ways = [_fairlead, _kubectl];

    /// <summary>Where the processor works for a way.</summary>
    private static readonly string[] _places = ["laptop", "gateway", "API server and node", "all"];

    private const long Gibibyte = 1L << 30;

    public static async Task RunAsync(Report report)
    {
        if (Environment.GetEnvironmentVariable("FAIRLEAD_E2E_KUBECONFIG") is null || Settings.PodImage == "host")
        {
            throw new InvalidOperationException("this takes a real cluster: --kubeconfig FILE --image NAME (of the gateway) --pod-image NAME (with nginx and python3)");
        }

        await using var cluster = await Cluster.CreateAsync();
        if (Settings.NodePid > 0)
        {
            await CableAsync(cluster);
        }

        try
        {
            await cluster.ApplyAsync(Bed.PodManifests());
            (await cluster.KubectlAsync("rollout", "status", "-n", "bench", "deploy/bench", "--timeout=60s")).ShouldSucceed();
            await using var laptop = await cluster.NewLaptopAsync();
            await laptop.Host.WriteAsync(Cluster.Kubeconfig, await cluster.Host.ReadAsync(Cluster.Kubeconfig));
            await laptop.ShutGatewayPortsAsync();
            (await laptop.Host.RunAsync("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")).ShouldSucceed();
            (await laptop.FairleadAsync("join", "--kubeconfig", Cluster.Kubeconfig)).ShouldSucceed();
            await Shell.EventuallyAsync("the carrier is port-forward", async () => (await laptop.SpaceAsync()).GetProperty("carrier").GetString() == "port-forward");
            await laptop.ConsumeAsync("bench/bench");

            // It ends now and then, when a connection is reset.
            using var kubectl = laptop.Host.Start(
                "bash", "-c", $"while :; do kubectl --kubeconfig {Cluster.Kubeconfig} port-forward -n bench deploy/bench 21080:8080 21081:8081 25201:5201 > /dev/null 2>&1; sleep 0.1; done");
            foreach (var way in _ways)
            {
                await Shell.EventuallyAsync($"{way.Name} answers", async () => (await laptop.CurlAsync($"http://{way.Host}:{way.Http}/")).ExitCode == 0);
            }

            await WarmAsync(laptop);
            await StreamsAsync(laptop, kubectl, report);
            await RequestsAsync(laptop, report);
            await EndsAsync(laptop, report);
            var version = (await cluster.KubectlAsync("get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.kubeletVersion}, {.items[0].status.nodeInfo.containerRuntimeVersion}, {.items[*].metadata.name}")).Text;
            var client = (await laptop.Host.ShellAsync("kubectl version --client 2> /dev/null | head -n 1")).Text;
            report.Note($"Cluster: {version}. kubectl: {client}. Medians of {Settings.Rounds} interleaved runs, of 1 GiB or of 3 s.");
            kubectl.Kill(entireProcessTree: true);
        }
        finally
        {
            await cluster.KubectlAsync("delete", "namespace", "bench", "many", "--ignore-not-found", "--wait=false");
        }
    }

    /// <summary>What compiles while it runs has done so, and every pool is filled.</summary>
    private static async Task WarmAsync(Laptop laptop)
    {
        foreach (var way in _ways)
        {
            await Streams.RunAsync(laptop, way, streams: 1, down: false, Gibibyte / 2);
            await Streams.RunAsync(laptop, way, streams: 1, down: true, Gibibyte / 2);
            await Tools.WrkAsync(laptop, way, clients: 4, newConnections: true);
            await Tools.WrkAsync(laptop, way, clients: 4, newConnections: false);
        }
    }

    private static async Task StreamsAsync(Laptop laptop, Process kubectl, Report report)
    {
        foreach (var (streams, down) in new[] { (1, false), (1, true), (8, false), (8, true) })
        {
            var rates = _ways.ToDictionary(w => w, _ => new List<double>());
            var work = _ways.ToDictionary(w => w, _ => new List<IReadOnlyList<double>>());
            for (var round = 0; round < Settings.Rounds; round++)
            {
                foreach (var way in _ways)
                {
                    var before = Processor(laptop, kubectl, way);
                    rates[way].Add(await Streams.RunAsync(laptop, way, streams, down, Gibibyte));
                    work[way].Add([.. Processor(laptop, kubectl, way).Zip(before, (now, then) => now - then)]);
                }
            }

            var what = $"{streams} stream{(streams == 1 ? "" : "s")} {(down ? "down" : "up")}";
            report.Ratio(what, "Gbit/s", Report.Median(rates[_fairlead]), _kubectl.Name, Report.Median(rates[_kubectl]), 0.6);
            foreach (var (place, index) in _places.Select((place, index) => (place, index)).Take(Settings.NodePid > 0 ? _places.Length : 1))
            {
                report.Beside($"{what}: processor, {place}", "s/GiB", Report.Median(work[_fairlead].Select(w => w[index])), _kubectl.Name, Report.Median(work[_kubectl].Select(w => w[index])));
            }
        }
    }

    private static async Task RequestsAsync(Laptop laptop, Report report)
    {
        foreach (var (clients, fresh, bar) in new[] { (1, true, 0), (16, true, 4), (1, false, 0.9), (16, false, 1.5) })
        {
            var results = _ways.ToDictionary(w => w, _ => new List<double>());
            for (var round = 0; round < Settings.Rounds; round++)
            {
                foreach (var way in _ways)
                {
                    results[way].Add((await Tools.WrkAsync(laptop, way, clients, fresh)).RequestsPerSecond);
                }
            }

            var what = $"{(fresh ? "new connections" : "keep-alive requests")}, {clients} client{(clients == 1 ? "" : "s")}";
            var (ours, theirs) = (Report.Median(results[_fairlead]), Report.Median(results[_kubectl]));
            if (bar > 0)
            {
                report.Ratio(what, "1/s", ours, _kubectl.Name, theirs, bar);
            }
            else
            {
                report.Beside(what, "1/s", ours, _kubectl.Name, theirs);
            }
        }
    }

    private static async Task EndsAsync(Laptop laptop, Report report)
    {
        var ours = await ClosedConnections.RunAsync(laptop, _fairlead, 100);
        var theirs = await ClosedConnections.RunAsync(laptop, _kubectl, 10);
        report.Beside("a connection that the server closes first: its answer", "ms", ours.AnswerMilliseconds, _kubectl.Name, theirs.AnswerMilliseconds);
        report.AtMost("a connection that the server closes first: its end after the answer", "ms", ours.EndMilliseconds - ours.AnswerMilliseconds, 5, _kubectl.Name, theirs.EndMilliseconds - theirs.AnswerMilliseconds);
    }

    /// <summary>Processor seconds so far of what works for this way, in each of <see cref="_places"/>; those of the cluster where its processes are this machine's.</summary>
    private static IReadOnlyList<double> Processor(Laptop laptop, Process kubectl, Way way)
    {
        var own = way == _kubectl
            ? Sum(kubectl.Id, "port-forward")
            : Bed.PidsOf(laptop.Host, "fairlead daemon").Concat(Bed.PidsOf(laptop.Host, "fairlead companion")).Sum(Bed.ProcessorSeconds);
        if (Settings.NodePid == 0)
        {
            return [own];
        }

        var gateway = way == _kubectl ? 0 : Sum(Settings.NodePid, "fairlead-gateway");
        var node = Sum(Settings.NodePid, "kube-apiserver", "kubelet", "containerd");
        return [own, gateway, node, own + gateway + node];

        static double Sum(int ancestor, params string[] patterns) => patterns.SelectMany(pattern => Bed.PidsBelow(ancestor, pattern)).Distinct().Sum(Bed.ProcessorSeconds);
    }

    /// <summary>A cable from the hosts' side of the test to the node, in place of the relay that leads to the API server.</summary>
    private static async Task CableAsync(Cluster cluster)
    {
        const string Here = "198.19.254.1", There = "198.19.254.2", Device = "fl-bench";
        var node = Settings.NodePid.ToString(CultureInfo.InvariantCulture);
        async Task AtAsync(int pid, params string[] command) =>
            (await Shell.RunAsync(["nsenter", "--target", pid.ToString(CultureInfo.InvariantCulture), "--net", "ip", .. command])).ShouldSucceed();
        await AtAsync(cluster.Host.Pid, "link", "add", "to-node", "type", "veth", "peer", "name", Device, "netns", node);
        await AtAsync(cluster.Host.Pid, "addr", "add", $"{Here}/30", "dev", "to-node");
        await AtAsync(cluster.Host.Pid, "link", "set", "to-node", "up");
        await AtAsync(Settings.NodePid, "addr", "add", $"{There}/30", "dev", Device);
        await AtAsync(Settings.NodePid, "link", "set", Device, "up");
        await AtAsync(cluster.Host.Pid, "addr", "del", $"{cluster.ApiServer.Address}/32", "dev", "lo");
        await AtAsync(cluster.Host.Pid, "route", "add", $"{cluster.ApiServer.Address}/32", "via", There);
        (await cluster.KubectlAsync("get", "--raw", "/readyz")).ShouldSucceed();
    }
}
