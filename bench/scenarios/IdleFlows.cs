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
        var daemon = await Bed.PidAsync(bed.Laptop.Host, "fairlead daemon");
        var gateway = await Bed.PidAsync(bed.Cluster.Host, "fairlead-gateway");
        await Task.Delay(TimeSpan.FromSeconds(10));
        var busy = Bed.ProcessorSeconds(daemon);
        await Task.Delay(TimeSpan.FromSeconds(30));
        report.AtMost("idle daemon, processor", "% of a core", (Bed.ProcessorSeconds(daemon) - busy) / 30 * 100, 0.2);
        report.AtMost("idle daemon, resident", "MB", Bed.ResidentMegabytes(daemon), 80);
        report.Beside("idle gateway, resident", "MB", Bed.ResidentMegabytes(gateway), "daemon", Bed.ResidentMegabytes(daemon));

        var before = (Daemon: Bed.ResidentMegabytes(daemon), Gateway: Bed.ResidentMegabytes(gateway));
        using var holder = bed.Laptop.Host.Start(Environment.ProcessPath!, "idle-connections", Bed.Fairlead.Host, Bed.Fairlead.Http.ToString(CultureInfo.InvariantCulture), Flows.ToString(CultureInfo.InvariantCulture));
        var opened = await holder.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
        if (opened != $"open {Flows}")
        {
            throw new InvalidOperationException($"the connections did not open: {opened} {await holder.StandardError.ReadToEndAsync()}");
        }

        await Task.Delay(TimeSpan.FromSeconds(10));
        var after = (Daemon: Bed.ResidentMegabytes(daemon), Gateway: Bed.ResidentMegabytes(gateway));
        report.AtMost($"{Flows} idle flows, daemon and gateway", "KiB each", (after.Daemon + after.Gateway - before.Daemon - before.Gateway) * 1e6 / 1024 / Flows, 40);
        report.Note($"Daemon {before.Daemon:0} → {after.Daemon:0} MB, gateway {before.Gateway:0} → {after.Gateway:0} MB.");
        holder.StandardInput.Close();
        await holder.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
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
