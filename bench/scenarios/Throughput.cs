namespace Fairlead.Bench.Scenarios;

/// <summary>TCP streams between laptop and pod, both directions.</summary>
internal static class Throughput
{
    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        Way[] ways = [Bed.Direct, Bed.Fairlead, Bed.Stunnel];
        foreach (var (streams, bar) in new[] { (1, 0.8), (8, 1.0) })
        {
            foreach (var down in new[] { false, true })
            {
                var figures = ways.ToDictionary(w => w, _ => new List<double>());
                for (var round = 0; round < Settings.Rounds; round++)
                {
                    foreach (var way in ways)
                    {
                        figures[way].Add(await Tools.IperfAsync(bed.Laptop, way, streams, down));
                    }
                }

                double Of(Way way) => Report.Median(figures[way]);
                var what = $"{streams} stream{(streams == 1 ? "" : "s")} {(down ? "down" : "up")}";
                report.Ratio(what, "Gbit/s", Of(Bed.Fairlead), Bed.Stunnel.Name, Of(Bed.Stunnel), bar);
                report.Beside(what, "Gbit/s", Of(Bed.Fairlead), "direct", Of(Bed.Direct));
            }
        }

        report.Note($"Medians of {Settings.Rounds} interleaved runs of 3 s. Peers: {string.Join("; ", await bed.PeersAsync())}.");
    }
}
