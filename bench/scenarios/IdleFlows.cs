using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>What it costs to be there: an idle daemon, and ten thousand flows on which nothing happens.</summary>
internal static class IdleFlows
{
    private const int Flows = 10_000;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.CreateAsync();
        var holders = new List<Process>();
        var daemon = Bed.PidOf(bed.Laptop.Host, "fairlead daemon");
        await Task.Delay(TimeSpan.FromSeconds(10));
        var busy = Bed.ProcessorSeconds(daemon);
        await Task.Delay(TimeSpan.FromSeconds(30));
        report.AtMost("idle daemon, processor", "% of a core", (Bed.ProcessorSeconds(daemon) - busy) / 30 * 100, 0.2);
        report.AtMost("idle daemon, resident", "MB", Bed.ResidentMegabytes(daemon), 80);

        // Each flow has two sockets in the daemon: where nobody may open more than some twenty thousand files, one daemon can't hold them all.
        await using var second = await bed.Cluster.NewMemberAsync("bench");
        await second.ConsumeAsync("bench/bench");
        Laptop[] laptops = [bed.Laptop, second];
        int[] daemons = [daemon, Bed.PidOf(second.Host, "fairlead daemon")];
        var gateways = Bed.PidsOf(bed.Cluster.Host, "fairlead-gateway");
        report.Beside("idle gateway, resident", "MB", gateways.Max(Bed.ResidentMegabytes), "daemon", Bed.ResidentMegabytes(daemon));

        var before = (Daemons: daemons.Sum(Bed.ResidentMegabytes), Gateways: gateways.Sum(Bed.ResidentMegabytes));
        foreach (var laptop in laptops)
        {
            holders.Add(laptop.Host.Start(
                Environment.ProcessPath!, "idle-connections", Bed.Fairlead.Host, Bed.Fairlead.Http.ToString(CultureInfo.InvariantCulture), (Flows / laptops.Length).ToString(CultureInfo.InvariantCulture)));
        }

        foreach (var holder in holders)
        {
            var opened = await holder.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
            if (opened != $"open {Flows / laptops.Length}")
            {
                throw new InvalidOperationException($"the connections did not open: {opened} {await holder.StandardError.ReadToEndAsync()}");
            }
        }

        await Task.Delay(TimeSpan.FromSeconds(10));
        var after = (Daemons: daemons.Sum(Bed.ResidentMegabytes), Gateways: gateways.Sum(Bed.ResidentMegabytes));
        report.AtMost($"{Flows} idle flows, daemons and gateways", "KiB each", (after.Daemons + after.Gateways - before.Daemons - before.Gateways) * 1e6 / 1024 / Flows, 40);
        report.Note($"{daemons.Length} daemons {before.Daemons:0} → {after.Daemons:0} MB, {gateways.Count} gateways {before.Gateways:0} → {after.Gateways:0} MB.");
        foreach (var holder in holders)
        {
            holder.StandardInput.Close();
            await holder.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
            holder.Dispose();
        }
    }

    /// <summary>Opens connections, has one request answered on each so that it is known to reach the pod, says so, and holds them until its input ends.</summary>
    public static async Task<int> HoldAsync(string host, int port, int count)
    {
        var sockets = new List<Socket>();
        var request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"u8.ToArray();
        var buffer = new byte[4096];
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(host, port);
            await socket.SendAsync(request);
            if (await socket.ReceiveAsync(buffer) == 0)
            {
                Console.Error.WriteLine($"connection {i} was closed");
                return 1;
            }

            sockets.Add(socket);
        }

        Console.WriteLine($"open {count}");
        await Console.In.ReadToEndAsync();
        sockets.ForEach(s => s.Dispose());
        return 0;
    }
}
