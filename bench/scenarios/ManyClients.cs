using System.Diagnostics;
using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>What a gateway takes for a thousand laptops that are connected, and for ten idle flows of each; and how soon they are back when it stalls, and when it is killed.</summary>
internal static class ManyClients
{
    private const int Clients = 1000;
    private const int Flows = 10;

    /// <summary>Of a process that plays laptops: where nobody may open more than some twenty thousand files, one can't hold all.</summary>
    private const int ClientsOfAProcess = 500;

    private const int LimitMegabytes = 600;

    /// <summary>Longer than a link waits for an answer, so that every laptop dials anew.</summary>
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(4);

    /// <summary>A collection of what the burst left comes within it, and laptops let go of the connections that they had dialled ahead (after 60 s).</summary>
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(80);

    /// <summary>For all laptops to connect, or to open their flows.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    public static async Task RunAsync(Report report)
    {
        await using var cluster = await Cluster.CreateAsync();
        await cluster.ApplyAsync(Bed.PodManifests());
        await cluster.ApplyAsync($"apiVersion: fairlead.dev/v1alpha1\nkind: Grant\nmetadata: {{ name: crowd, namespace: fairlead }}\nspec: {{ subjects: [\"invite-group:{Crowd.Group}\"], rules: [ {{ namespaces: [bench] }} ] }}\n");
        (await cluster.KubectlAsync("rollout", "status", "-n", "bench", "deploy/bench", "--timeout=60s")).ShouldSucceed();
        using var authority = await SpaceAuthority.LoadAsync(cluster);

        // A direct flow takes two sockets of a gateway, so ten thousand of them would be more than the files that one process may open here.
        await MeasureAsync(cluster, authority, "direct", replicas: 2, report);
        await MeasureAsync(cluster, authority, "websocket", replicas: 1, report);
        report.Note($"{Clients} laptops, each with its own certificate, link, heartbeats and catalog stream; {Flows} flows of each that had one request answered. Resident memory {Settle.TotalSeconds} s after the last of them.");
    }

    private static async Task MeasureAsync(Cluster cluster, SpaceAuthority authority, string carrier, int replicas, Report report)
    {
        // New processes, so that neither inherits what the other's burst left behind.
        (await cluster.KubectlAsync("scale", "-n", "fairlead", "deploy/fairlead-gateway", $"--replicas={replicas}")).ShouldSucceed();
        (await cluster.KubectlAsync("rollout", "restart", "-n", "fairlead", "deploy/fairlead-gateway")).ShouldSucceed();
        (await cluster.KubectlAsync("rollout", "status", "-n", "fairlead", "deploy/fairlead-gateway", "--timeout=90s")).ShouldSucceed();
        await Shell.EventuallyAsync("the old gateways are gone", () => Task.FromResult(Gateways().Count == replicas), TimeSpan.FromSeconds(60));
        var idle = Gateways().Sum(Bed.ResidentMegabytes);
        await using var laptop = await cluster.NewLaptopAsync(start: false);
        (await laptop.Host.RunAsync("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")).ShouldSucceed();
        await laptop.Host.WriteAsync("/etc/authority.pem", authority.Pem);
        var ports = carrier == "direct" ? "30443:30444" : "30443:0";
        var crowds = new List<Process>();
        try
        {
            for (var first = 0; first < Clients; first += ClientsOfAProcess)
            {
                crowds.Add(laptop.Host.Start(
                    Environment.ProcessPath!, "crowd", "/etc/authority.pem", cluster.NodeAddress, ports, Text(ClientsOfAProcess), Text(first), Text(Flows)));
            }

            await HearAsync(crowds, "connected");
            report.Beside($"{carrier}: {Clients} laptops without flows, {replicas} gateway(s)", "MB", Gateways().Sum(Bed.ResidentMegabytes), "without laptops", idle);
            crowds.ForEach(crowd => crowd.StandardInput.WriteLine());
            await HearAsync(crowds, "open");
            var gateways = Gateways();
            report.AtMost($"{carrier}: {Clients} laptops with {Flows} idle flows each, {replicas} gateway(s)", "MB", gateways.Sum(Bed.ResidentMegabytes), LimitMegabytes);
            var busy = gateways.Sum(Bed.ProcessorSeconds);
            await Task.Delay(TimeSpan.FromSeconds(10));
            report.Note(string.Create(
                CultureInfo.InvariantCulture,
                $"{carrier}: {string.Join(" + ", gateways.Select(pid => Bed.ResidentMegabytes(pid).ToString("0", CultureInfo.InvariantCulture)))} MB; being idle takes {(gateways.Sum(Bed.ProcessorSeconds) - busy) * 10:0} % of a core."));
            await ReturnAsync($"{carrier}, before", crowds, report);

            // Those that have connections must keep them, and those that dial all at once must come through.
            Signal("STOP", gateways);
            await Task.Delay(Stall);
            Signal("CONT", gateways);
            await ReturnAsync($"{carrier}, after gateways stood still for {Stall.TotalSeconds} s", crowds, report);
            Signal("KILL", gateways);
            await Shell.EventuallyAsync("new gateways run", () => Task.FromResult(Gateways().Count == replicas && !Gateways().Intersect(gateways).Any()), TimeSpan.FromSeconds(60));
            await ReturnAsync($"{carrier}, after new gateways were started for those that were killed", crowds, report);
        }
        finally
        {
            foreach (var crowd in crowds)
            {
                crowd.Kill(entireProcessTree: true);
                crowd.Dispose();
            }
        }

        IReadOnlyList<int> Gateways() => Bed.PidsOf(cluster.Host, "fairlead-gateway");
    }

    private static void Signal(string name, IReadOnlyList<int> pids)
    {
        using var kill = Process.Start("kill", [$"-{name}", .. pids.Select(Text)]);
        kill.WaitForExit();
    }

    /// <summary>How many laptops are connected, or are again soon enough.</summary>
    private static async Task ReturnAsync(string when, IReadOnlyList<Process> crowds, Report report)
    {
        var began = Stopwatch.GetTimestamp();
        foreach (var crowd in crowds)
        {
            await crowd.StandardInput.WriteLineAsync();
        }

        var (connected, lost) = (0, 0);
        foreach (var crowd in crowds)
        {
            var said = (await ReadAsync(crowd)).Split(' ');
            (connected, lost) = (connected + int.Parse(said[0], CultureInfo.InvariantCulture), lost + int.Parse(said[1], CultureInfo.InvariantCulture));
        }

        var took = $"{Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s, {lost} of {Clients * Flows} flows lost";
        Say($"{when}: {connected} connected, {took}");
        report.AtLeast($"{when}: connected within {Crowd.Patience.TotalSeconds} s", "laptops", connected, Clients);
        report.Note($"{when}: {took}.");
    }

    private static async Task HearAsync(IEnumerable<Process> crowds, string expected)
    {
        foreach (var crowd in crowds)
        {
            var said = await ReadAsync(crowd);
            if (said != expected)
            {
                throw new InvalidOperationException($"the laptops said '{said}', not '{expected}'");
            }
        }

        Say($"all laptops: {expected}");
        await Task.Delay(expected == "connected" ? TimeSpan.FromSeconds(15) : Settle);
    }

    private static async Task<string> ReadAsync(Process crowd)
    {
        try
        {
            return await crowd.StandardOutput.ReadLineAsync().WaitAsync(Limit) ?? throw new InvalidOperationException($"the laptops ended: {await crowd.StandardError.ReadToEndAsync()}");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"the laptops were not ready after {Limit.TotalMinutes} minutes", e);
        }
    }

    /// <summary>This takes minutes: whoever waits sees how far it is.</summary>
    private static void Say(string what) => Console.Error.WriteLine($"{TimeProvider.System.GetLocalNow():HH:mm:ss} {what}");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
