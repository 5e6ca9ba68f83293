namespace Fairlead.Bench.Scenarios;

/// <summary>A gateway 20 ms away.</summary>
internal static class Distance
{
    private const int RoundTrip = 20;
    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync(RoundTrip);
        var streams = new Dictionary<Way, List<double>>();
        var requests = new Dictionary<Way, List<double>>();
        Way[] ways = [Bed.Direct, Bed.Fairlead, Bed.Stunnel];
        for (var round = 0; round < Settings.Rounds; round++)
        {
            foreach (var way in ways)
            {
                Add(streams, way, await Tools.IperfAsync(bed.Laptop, way, 1, down: true, seconds: 6));
                Add(requests, way, (await Tools.WrkAsync(bed.Laptop, way, 1, newConnections: true)).P50Microseconds / 1000);
            }
        }

        report.AtLeast("one stream down", "Mbit/s", Report.Median(streams[Bed.Fairlead]) * 1000, 500);
        report.Beside("one stream down", "Mbit/s", Report.Median(streams[Bed.Fairlead]) * 1000, "direct", Report.Median(streams[Bed.Direct]) * 1000);
        report.Beside("one stream down", "Mbit/s", Report.Median(streams[Bed.Fairlead]) * 1000, Bed.Stunnel.Name, Report.Median(streams[Bed.Stunnel]) * 1000);
        report.AtMost("a small request on a new connection, added p50", "ms", Report.Median(requests[Bed.Fairlead]) - Report.Median(requests[Bed.Direct]), RoundTrip, "direct", Report.Median(requests[Bed.Direct]));
        report.Beside("a small request on a new connection, p50", "ms", Report.Median(requests[Bed.Fairlead]), Bed.Stunnel.Name, Report.Median(requests[Bed.Stunnel]));
        report.Note($"A link of our own (two TUN devices and a relay) with a round trip of {RoundTrip} ms. Medians of {Settings.Rounds} interleaved runs.");
    }

    private static void Add(Dictionary<Way, List<double>> to, Way way, double figure)
    {
        if (!to.TryGetValue(way, out var list))
        {
            to[way] = list = [];
        }

        list.Add(figure);
    }
}
