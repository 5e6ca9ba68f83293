using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>The way through the TUN device of connect beside consume's and beside VPNs, to the same pod; and how soon it is there.</summary>
internal static class ConnectPath
{
    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        var laptop = bed.Laptop;
        await DelaysAsync(bed, report);

        var pod = (await bed.Cluster.KubectlAsync("get", "pods", "-n", "bench", "-l", "app=bench", "-o", "jsonpath={.items[0].status.podIP}")).Text;
        var service = (await bed.Cluster.KubectlAsync("get", "service", "-n", "bench", "bench", "-o", "jsonpath={.spec.clusterIP}")).Text;
        await using var vpns = await VpnPeers.StartAsync(bed, pod);
        (await laptop.FairleadAsync("connect")).ShouldSucceed();
        var connect = new Way("connect", service, 80, 81, 5201, 7);
        var consume = Bed.Fairlead with { Name = "consume", Host = (await laptop.ResolveAsync(Bed.Fairlead.Host)).ToString(), Echo = 7 };
        Way[] ways = [connect, consume, VpnPeers.OpenVpn, VpnPeers.WireGuard];
        foreach (var down in new[] { false, true })
        {
            var rates = await InterleavedAsync(ways, way => Tools.IperfAsync(laptop, way, 1, down));
            var what = $"1 stream {(down ? "down" : "up")}";
            report.Ratio(what, "Gbit/s", rates[connect], consume.Name, rates[consume], 0.85);
            BesideVpns(report, what, "Gbit/s", connect, rates, 3);
        }

        var times = await InterleavedAsync(ways, async way => (await Tools.WrkAsync(laptop, way, 1, newConnections: false)).P50Microseconds);
        report.AtMost("keep-alive requests, 1 client: added p50", "µs", times[connect] - times[consume], 60, consume.Name, times[consume]);
        report.Beside("keep-alive requests, 1 client: p50", "µs", times[connect], VpnPeers.OpenVpn.Name, times[VpnPeers.OpenVpn]);
        report.Beside("keep-alive requests, 1 client: p50", "µs", times[connect], VpnPeers.WireGuard.Name, times[VpnPeers.WireGuard]);

        var echoes = await InterleavedAsync(ways, way => DatagramEchoes.RunAsync(laptop, way));
        const string Echoes = "UDP echo, 512 bytes, 32 at once";
        report.Ratio(Echoes, "1/s", echoes[connect], VpnPeers.OpenVpn.Name, echoes[VpnPeers.OpenVpn], 3);
        report.Beside(Echoes, "1/s", echoes[connect], VpnPeers.WireGuard.Name, echoes[VpnPeers.WireGuard]);
        report.Beside(Echoes, "1/s", echoes[connect], consume.Name, echoes[consume]);

        report.Note($"Medians of {Settings.Rounds} interleaved runs of 3 s. Peers: {await vpns.VersionsAsync()}; {string.Join("; ", await bed.PeersAsync())}.");
    }

    /// <summary>Before any VPN is there.</summary>
    private static async Task DelaysAsync(Bed bed, Report report)
    {
        var (first, replans) = (new List<double>(), new List<double>());
        for (var round = 0; round < Settings.Rounds; round++)
        {
            first.Add(await ConnectDelays.FirstNameAsync(bed.Laptop, "stunnel.bench", 80));
        }

        (await bed.Laptop.FairleadAsync("connect")).ShouldSucceed();
        for (var round = 0; round < Settings.Rounds; round++)
        {
            replans.AddRange(await ConnectDelays.ReplanAsync(bed.Laptop));
        }

        (await bed.Laptop.FairleadAsync("disconnect")).ShouldSucceed();
        report.AtMost("connect until the first name of the cluster is resolved and answers", "ms", Report.Median(first), 1000);
        report.AtMost("a VPN's route comes or goes: until our routes and rules have followed", "ms", Report.Median(replans), 400);
        report.Note($"Slowest connect {first.Max():0} ms, slowest re-plan {replans.Max():0} ms.");
    }

    private static void BesideVpns(Report report, string what, string unit, Way connect, Dictionary<Way, double> figures, double bar)
    {
        foreach (var way in new[] { VpnPeers.OpenVpn, VpnPeers.WireGuard })
        {
            report.Ratio(what, unit, figures[connect], way.Name, figures[way], bar);
        }
    }

    private static async Task<Dictionary<Way, double>> InterleavedAsync(Way[] ways, Func<Way, Task<double>> measure)
    {
        var figures = ways.ToDictionary(way => way, _ => new List<double>());
        for (var round = 0; round < Settings.Rounds; round++)
        {
            foreach (var way in ways)
            {
                figures[way].Add(await measure(way));
            }
        }

        return figures.ToDictionary(figure => figure.Key, figure => Report.Median(figure.Value));
    }
}
