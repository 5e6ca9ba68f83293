using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Fairlead.Kubernetes;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>Five thousand services of two ports each.</summary>
internal static class ManyServices
{
    private const int Services = 5000;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        (await bed.Cluster.Host.RunAsync([Environment.ProcessPath!, "create-services", Cluster.Kubeconfig, Services.ToString(CultureInfo.InvariantCulture)], limit: TimeSpan.FromMinutes(5))).ShouldSucceed();
        await Shell.EventuallyAsync("the catalog is complete", async () =>
            JsonNode.Parse((await bed.Laptop.FairleadAsync("services", "list", "-n", "many", "-o", "json")).Text)!["services"]!.AsArray().Count == Services, TimeSpan.FromMinutes(1));
        var daemon = Bed.PidOf(bed.Laptop.Host, "fairlead daemon");

        var clock = Stopwatch.StartNew();
        await bed.Laptop.ConsumeAsync("many/*");
        var ready = clock.Elapsed;
        var lines = int.Parse((await bed.Laptop.Host.ShellAsync("grep -c many /etc/hosts")).Text, CultureInfo.InvariantCulture);
        if (lines < Services)
        {
            throw new InvalidOperationException($"only {lines} services have names");
        }

        report.AtMost($"{Services} services of 2 ports: names and capture ready", "s", ready.TotalSeconds, 3);
        report.AtMost($"{Services} services of 2 ports: daemon, resident right after the burst", "MB", Bed.ResidentMegabytes(daemon), 120);
        await Task.Delay(TimeSpan.FromSeconds(5));
        report.AtMost($"{Services} services of 2 ports: daemon, resident 5 s later", "MB", Bed.ResidentMegabytes(daemon), 120);

        var seen = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var name = $"late-{i}";
            var yaml = $"apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: many }}\nspec: {{ ports: [{{ port: 80 }}], selector: {{ app: none }} }}\n";
            await bed.Cluster.Host.WriteAsync("/etc/late.yaml", yaml);
            using var watch = bed.Laptop.Host.Start("bash", "-c", $"echo go; for i in $(seq 1 5000); do grep -q {name}.many /etc/hosts && {{ date +%s.%N; exit; }}; sleep 0.005; done");
            await watch.StandardOutput.ReadLineAsync();
            // From the moment that the API server answered the request that made it.
            var made = double.Parse((await bed.Cluster.Host.ShellAsync($"kubectl --kubeconfig {Cluster.Kubeconfig} create -f /etc/late.yaml >/dev/null && date +%s.%N")).Text, CultureInfo.InvariantCulture);
            var there = double.Parse(await watch.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)) ?? "0", CultureInfo.InvariantCulture);
            seen.Add((there - made) * 1000);
        }

        report.AtMost("a new service has its names", "ms", Report.Median(seen), 250);
        report.Note($"Slowest of 10: {seen.Max():0} ms.");
    }

    public static async Task<int> CreateAsync(string kubeconfig, int count)
    {
        using var client = new KubernetesClient(KubeConfig.Load(kubeconfig));
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, cancellation) =>
            await client.ApplyAsync(JsonNode.Parse($$"""
                { "apiVersion": "v1", "kind": "Service", "metadata": { "name": "service-{{i}}", "namespace": "many" },
                  "spec": { "selector": { "app": "none" }, "ports": [ { "name": "http", "port": 80 }, { "name": "grpc", "port": 9090 } ] } }
                """)!, "bench", force: true, cancellation));
        return 0;
    }
}
