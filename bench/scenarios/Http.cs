namespace Fairlead.Bench.Scenarios;

/// <summary>Small requests: a connection each, and kept alive.</summary>
internal static class Http
{
    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        Way[] ways = [Bed.Direct, Bed.Fairlead, Bed.Stunnel];
        foreach (var (clients, fresh) in new[] { (1, true), (32, true), (1, false), (32, false) })
        {
            var results = ways.ToDictionary(w => w, _ => new List<HttpResult>());
            for (var round = 0; round < Settings.Rounds; round++)
            {
                foreach (var way in ways)
                {
                    results[way].Add(await Tools.WrkAsync(bed.Laptop, way, clients, fresh));
                }
            }

            double Of(Way way, Func<HttpResult, double> figure) => Report.Median(results[way].Select(figure));
            var rate = Of(Bed.Fairlead, r => r.RequestsPerSecond);
            var direct = Of(Bed.Direct, r => r.RequestsPerSecond);
            var what = $"{(fresh ? "new connections" : "keep-alive requests")}, {clients} client{(clients == 1 ? "" : "s")}";
            if (fresh)
            {
                report.Ratio(what, "1/s", rate, "direct", direct, clients == 1 ? 0.3 : 0.35);
            }
            else if (clients == 1)
            {
                report.AtMost(what + ": added p50", "µs", Of(Bed.Fairlead, r => r.P50Microseconds) - Of(Bed.Direct, r => r.P50Microseconds), 80, "direct", Of(Bed.Direct, r => r.P50Microseconds));
                report.AtMost(what + ": added p99", "µs", Of(Bed.Fairlead, r => r.P99Microseconds) - Of(Bed.Direct, r => r.P99Microseconds), 400, "direct", Of(Bed.Direct, r => r.P99Microseconds));
            }
            else
            {
                report.Ratio(what, "1/s", rate, "direct", direct, 0.35);
            }

            report.Beside(what, "1/s", rate, Bed.Stunnel.Name, Of(Bed.Stunnel, r => r.RequestsPerSecond));
        }

        report.Note($"Medians of {Settings.Rounds} interleaved runs of 3 s. Peers: {string.Join("; ", await bed.PeersAsync())}.");
    }
}
