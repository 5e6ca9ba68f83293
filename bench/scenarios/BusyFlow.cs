using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>What a small request takes while five hundred flows are idle and one is saturated, by each carrier, and without any tunnel: what of it is the machine's.</summary>
internal static class BusyFlow
{
    private const int Idle = 500;
    private const double LimitMilliseconds = 20;

    public static async Task RunAsync(Report report)
    {
        await using var cluster = await Cluster.CreateAsync();
        await cluster.ApplyAsync(Bed.PodManifests());
        (await cluster.KubectlAsync("rollout", "status", "-n", "bench", "deploy/bench", "--timeout=60s")).ShouldSucceed();
        Latencies? control = null;
        foreach (var carrier in new[] { "direct", "websocket", "port-forward" })
        {
            await using var laptop = await cluster.NewLaptopAsync();
            switch (carrier)
            {
                case "websocket":
                    await laptop.ShutDataPortAsync();
                    break;
                case "port-forward":
                    await laptop.ShutGatewayPortsAsync();
                    break;
            }

            // The same user on each; only the kubeconfig leads through the API server.
            await laptop.Host.WriteAsync(Cluster.Kubeconfig, await cluster.Host.ReadAsync(Cluster.Kubeconfig));
            (await laptop.FairleadAsync("join", "--kubeconfig", Cluster.Kubeconfig)).ShouldSucceed();
            await Shell.EventuallyAsync($"the carrier is {carrier}", async () => (await laptop.SpaceAsync()).GetProperty("carrier").GetString() == carrier);
            await laptop.ConsumeAsync("bench/bench");
            control ??= await MeasureAsync(laptop, Bed.Direct);
            var tunnelled = await MeasureAsync(laptop, Bed.Fairlead);
            report.AtMost($"{carrier}: p99 of a small request", "ms", tunnelled.Kept, LimitMilliseconds, "no tunnel", control.Kept);
            report.AtMost($"{carrier}: p99 of a small request on a new connection", "ms", tunnelled.Fresh, LimitMilliseconds, "no tunnel", control.Fresh);
            report.Beside($"{carrier}: the saturated flow meanwhile", "Gbit/s", tunnelled.Rate, "no tunnel", control.Rate);
        }

        report.Note($"{Idle} idle flows and one that is saturated downwards; requests of one client that keeps its connection, and of one that makes a new one each time. Medians of {Settings.Rounds} runs of 3 s. "
            + "No tunnel: the same idle connections, saturated one and requests, to the same pod's node port.");
    }

    private static async Task<Latencies> MeasureAsync(Laptop laptop, Way way)
    {
        using var holder = laptop.Host.Start(
            Environment.ProcessPath!, "idle-connections", way.Host, way.Http.ToString(CultureInfo.InvariantCulture), Idle.ToString(CultureInfo.InvariantCulture));
        if (await holder.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1)) != $"open {Idle}")
        {
            throw new InvalidOperationException($"the idle connections did not open: {await holder.StandardError.ReadToEndAsync()}");
        }

        // It ends with the scenario, not with its bytes.
        using var stop = new CancellationTokenSource();
        var busy = SaturateAsync(laptop, way, stop.Token);
        await Task.Delay(TimeSpan.FromSeconds(2));
        var kept = await PercentileAsync(laptop, way, newConnections: false);
        var fresh = await PercentileAsync(laptop, way, newConnections: true);
        await stop.CancelAsync();
        var rates = await busy;
        holder.StandardInput.Close();
        await holder.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return new Latencies(kept, fresh, Report.Median(rates));
    }

    /// <summary>The 99th, in milliseconds.</summary>
    private static async Task<double> PercentileAsync(Laptop laptop, Way way, bool newConnections)
    {
        var latencies = new List<double>();
        for (var round = 0; round < Settings.Rounds; round++)
        {
            latencies.Add((await Tools.WrkAsync(laptop, way, 1, newConnections)).P99Microseconds / 1000);
        }

        return Report.Median(latencies);
    }

    private static async Task<IReadOnlyList<double>> SaturateAsync(Laptop laptop, Way way, CancellationToken enough)
    {
        var rates = new List<double>();
        while (!enough.IsCancellationRequested)
        {
            rates.Add(await Streams.RunAsync(laptop, way, streams: 1, down: true, bytes: 1L << 30));
        }

        return rates;
    }

    /// <param name="Kept">p99 on a connection that is kept, in milliseconds.</param>
    /// <param name="Fresh">p99 on a connection for each request, in milliseconds.</param>
    /// <param name="Rate">Of the saturated flow, in Gbit/s.</param>
    private sealed record Latencies(double Kept, double Fresh, double Rate);
}
