using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>
/// Names of the cluster by DNS: how many answers one processor core gives, and how late they are, beside dnsmasq and unbound with the same names; each server
/// is held on one core, dnsperf on another.
/// </summary>
internal static partial class Names
{
    private const int Services = 1000;
    private const int Seconds = 4;

    /// <summary>Queries a second at which lateness is measured: a busy machine, far from full.</summary>
    private const int Calm = 10_000;

    private static readonly (string Name, string Address)[] Servers = [("fairlead", "127.72.0.53"), ("dnsmasq", "127.0.0.2"), ("unbound", "127.0.0.3")];

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        var host = bed.Laptop.Host;
        (await bed.Cluster.Host.RunAsync([Environment.ProcessPath!, "create-services", Cluster.Kubeconfig, Services.ToString(CultureInfo.InvariantCulture)], limit: TimeSpan.FromMinutes(5))).ShouldSucceed();
        (await bed.Laptop.FairleadAsync("options", "set", "resolver", "dns")).ShouldSucceed();
        await bed.Laptop.ConsumeAsync("many/*");
        var names = Enumerable.Range(0, Services).Select(i => $"service-{i}.many.svc.cluster.local").ToList();
        await StartPeersAsync(host, names);
        await host.WriteAsync("/etc/queries", string.Concat(names.Select(name => name + " A\n")));
        (await host.ShellAsync($"taskset -apc 0 {(await bed.Laptop.DaemonPidAsync()).ToString(CultureInfo.InvariantCulture)}")).ShouldSucceed();

        var rates = Servers.ToDictionary(server => server.Name, _ => new List<double>());
        var late = Servers.ToDictionary(server => server.Name, _ => new List<double>());
        for (var round = 0; round < Settings.Rounds; round++)
        {
            foreach (var (name, address) in Servers)
            {
                rates[name].Add(await RateAsync(host, address));
                late[name].Add(await LateAsync(host, address));
            }
        }

        var ours = Report.Median(rates["fairlead"]);
        report.AtLeast($"answers of {Services} names of the cluster, one core, UDP", "1/s", ours, 100_000);
        report.Ratio("the same, beside dnsmasq", "1/s", ours, "dnsmasq", Report.Median(rates["dnsmasq"]), 1);
        report.Ratio("the same, beside unbound", "1/s", ours, "unbound", Report.Median(rates["unbound"]), 1);
        report.AtMost($"p99 at {Calm} queries a second", "ms", Report.Median(late["fairlead"]), 1, "unbound", Report.Median(late["unbound"]));
        await NewNamesAsync(bed, report);
        report.Note($"Peers: {(await host.ShellAsync("dnsmasq --version | head -n 1 | cut -d' ' -f1-3; unbound -V | head -n 1; dnsperf -h 2>&1 | head -n 1")).Output.Trim().Replace("\n", "; ", StringComparison.Ordinal)}.");
    }

    /// <summary>As many at once as the server takes.</summary>
    private static async Task<double> RateAsync(Host host, string address)
    {
        var output = (await host.RunAsync("taskset", "-c", "1", "dnsperf", "-s", address, "-d", "/etc/queries", "-l", Seconds.ToString(CultureInfo.InvariantCulture), "-c", "4", "-q", "200")).Text;
        var lost = double.Parse(Lost().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
        var bad = Codes().Match(output).Groups[1].Value;
        return lost < 1 && bad.StartsWith("NOERROR", StringComparison.Ordinal) && !bad.Contains(',', StringComparison.Ordinal)
            ? double.Parse(Rate().Match(output).Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"{address} lost or refused queries:\n{output}");
    }

    /// <summary>The 99th percentile in milliseconds.</summary>
    private static async Task<double> LateAsync(Host host, string address)
    {
        var output = (await host.RunAsync("taskset", "-c", "1", "dnsperf", "-v", "-s", address, "-d", "/etc/queries", "-l", "2", "-Q", Calm.ToString(CultureInfo.InvariantCulture))).Text;
        var times = output.Split('\n').Where(line => line.StartsWith("> NOERROR", StringComparison.Ordinal)).Select(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)).Order().ToList();
        return times.Count > Calm ? times[times.Count * 99 / 100] * 1000 : throw new InvalidOperationException($"only {times.Count} answers of {address}");
    }

    private static async Task StartPeersAsync(Host host, List<string> names)
    {
        await host.WriteAsync("/etc/peer-hosts", string.Concat(names.Select((name, i) => $"10.1.{i / 250}.{i % 250} {name}\n")));
        (await host.ShellAsync("taskset -c 0 dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --addn-hosts=/etc/peer-hosts --bind-interfaces --listen-address=127.0.0.2 --pid-file=/run/dnsmasq.pid")).ShouldSucceed();
        var configuration = new StringBuilder("""
            server:
              interface: 127.0.0.3
              num-threads: 1
              chroot: ""
              username: ""
              directory: /run
              pidfile: /run/unbound.pid
              use-syslog: no
              module-config: "iterator"
              local-zone: "cluster.local." static

            """);
        foreach (var (name, i) in names.Select((name, i) => (name, i)))
        {
            configuration.Append(CultureInfo.InvariantCulture, $"  local-data: \"{name}. 5 IN A 10.1.{i / 250}.{i % 250}\"\n");
        }

        configuration.Append("remote-control:\n  control-enable: no\n");
        await host.WriteAsync("/etc/unbound-bench.conf", configuration.ToString());
        (await host.ShellAsync("taskset -c 0 unbound -c /etc/unbound-bench.conf")).ShouldSucceed();
        foreach (var (_, address) in Servers)
        {
            await Shell.EventuallyAsync($"{address} answers", async () => (await host.RunAsync("dig", "+short", "+time=1", "+tries=1", $"@{address}", names[0])).Output.Contains('.', StringComparison.Ordinal));
        }
    }

    /// <summary>From the moment that the API server answered the request that made a service until its name is answered.</summary>
    private static async Task NewNamesAsync(Bed bed, Report report)
    {
        var seen = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var yaml = $"apiVersion: v1\nkind: Service\nmetadata: {{ name: soon-{i}, namespace: many }}\nspec: {{ ports: [{{ port: 80 }}], selector: {{ app: none }} }}\n";
            await bed.Cluster.Host.WriteAsync("/etc/soon.yaml", yaml);
            using var watch = bed.Laptop.Host.Start("bash", "-c", $"echo go; for i in $(seq 1 5000); do dig +short +time=1 +tries=1 @127.72.0.53 soon-{i}.many | grep -q 127 && {{ date +%s.%N; exit; }}; sleep 0.005; done");
            await watch.StandardOutput.ReadLineAsync();
            var made = double.Parse((await bed.Cluster.Host.ShellAsync($"kubectl --kubeconfig {Cluster.Kubeconfig} create -f /etc/soon.yaml >/dev/null && date +%s.%N")).Text, CultureInfo.InvariantCulture);
            var there = double.Parse(await watch.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30)) ?? "0", CultureInfo.InvariantCulture);
            seen.Add((there - made) * 1000);
        }

        report.AtMost("a new service's name is answered", "ms", Report.Median(seen), 250);
    }

    [GeneratedRegex(@"Queries per second:\s+([0-9.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"Queries lost:\s+\d+ \(([0-9.]+)%\)")]
    private static partial Regex Lost();

    [GeneratedRegex(@"Response codes:\s+(.*)")]
    private static partial Regex Codes();
}
