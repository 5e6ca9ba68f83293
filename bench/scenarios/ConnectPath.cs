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

        await using var vpns = await VpnPeers.StartAsync(bed);
        var ways = await WaysAsync(bed);
        var (connect, consume) = (ways[0], ways[1]);
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

        await EchoesAsync(laptop, ways, report);
        report.Note($"Medians of {Settings.Rounds} interleaved runs of 3 s. Peers: {await vpns.VersionsAsync()}; {string.Join("; ", await bed.PeersAsync())}.");
    }

    /// <summary>Of all that the datagrams alone.</summary>
    public static async Task RunDatagramsAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        await using var vpns = await VpnPeers.StartAsync(bed);
        await EchoesAsync(bed.Laptop, await WaysAsync(bed), report);
        report.Note($"Medians of {Settings.Rounds} interleaved runs of 3 s. Peers: {await vpns.VersionsAsync()}.");
    }

    /// <summary>Through connect's device, which is there from now on, and consume; then the VPNs.</summary>
    private static async Task<Way[]> WaysAsync(Bed bed)
    {
        (await bed.Laptop.FairleadAsync("connect")).ShouldSucceed();
        var service = (await bed.Cluster.KubectlAsync("get", "service", "-n", "bench", "bench", "-o", "jsonpath={.spec.clusterIP}")).Text;
        var connect = new Way("connect", service, 80, 81, 5201, 7);
        var consume = Bed.Fairlead with { Name = "consume", Host = (await bed.Laptop.ResolveAsync(Bed.Fairlead.Host)).ToString(), Echo = 7 };
        return [connect, consume, VpnPeers.OpenVpn, VpnPeers.WireGuard];
    }

    private static async Task EchoesAsync(Laptop laptop, Way[] ways, Report report)
    {
        // A run that is not counted: code that is new to the process is compiled in it.
        foreach (var way in ways)
        {
            await DatagramEchoes.RunAsync(laptop, way);
        }

        var echoes = await InterleavedAsync(ways, way => DatagramEchoes.RunAsync(laptop, way));
        const string What = "UDP echo, 512 bytes, 32 at once";
        report.Ratio(What, "1/s", echoes[ways[0]], VpnPeers.OpenVpn.Name, echoes[VpnPeers.OpenVpn], 3);
        report.Beside(What, "1/s", echoes[ways[0]], VpnPeers.WireGuard.Name, echoes[VpnPeers.WireGuard]);
        report.Beside(What, "1/s", echoes[ways[0]], ways[1].Name, echoes[ways[1]]);
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
