using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>What a small request takes while five hundred flows are idle and one is saturated, by each carrier.</summary>
internal static class BusyFlow
{
    private const int Idle = 500;

    public static async Task RunAsync(Report report)
    {
        await using var cluster = await Cluster.CreateAsync();
        await cluster.ApplyAsync(Bed.PodManifests());
        (await cluster.KubectlAsync("rollout", "status", "-n", "bench", "deploy/bench", "--timeout=60s")).ShouldSucceed();
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
            await MeasureAsync(laptop, carrier, report);
        }

        report.Note($"{Idle} idle flows and one that is saturated downwards; requests of one client that keeps its connection, and of one that makes a new one each time. Medians of {Settings.Rounds} runs of 3 s.");
    }

    private static async Task MeasureAsync(Laptop laptop, string carrier, Report report)
    {
        var way = Bed.Fairlead;
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
        foreach (var fresh in new[] { false, true })
        {
            var latencies = new List<double>();
            for (var round = 0; round < Settings.Rounds; round++)
            {
                latencies.Add((await Tools.WrkAsync(laptop, way, 1, fresh)).P99Microseconds / 1000);
            }

            report.AtMost($"{carrier}: p99 of a small request{(fresh ? " on a new connection" : "")}", "ms", Report.Median(latencies), 20);
        }

        await stop.CancelAsync();
        var rates = await busy;
        report.Note($"{carrier}: the saturated flow ran at {Report.Median(rates).ToString("0.00", CultureInfo.InvariantCulture)} Gbit/s meanwhile.");
        holder.StandardInput.Close();
        await holder.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
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
}
