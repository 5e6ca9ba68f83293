using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;
using Fairlead.Linux.Tun;
using Fairlead.Platform.Capture;

namespace Fairlead.Bench.Scenarios;

/// <summary>The TUN capture alone, beside plain loopback in the same namespace and the same program: what the way through the device costs, without a tunnel behind it.</summary>
internal static class TunDevice
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3);

    public static async Task RunAsync(Report report)
    {
        var path = $"/run/fairlead-bench-{Environment.ProcessId}";
        using var network = NetworkNamespace.Create(path);
        await using var tun = network.Run(() => TunParts.Create(TunOptions.Default)).Serve();
        foreach (var command in new[] { "link set lo up", $"route add 10.96.0.0/16 dev {tun.Device.Name}" })
        {
            using var process = network.Run(() => Process.Start("ip", command.Split(' ')));
            await process.WaitForExitAsync();
        }

        using var stopping = new CancellationTokenSource();
        using var listener = network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        using var datagrams = network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        datagrams.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Task[] serving =
        [
            ServeAsync(async () => await (await tun.AcceptAsync(stopping.Token)).AcceptAsync(stopping.Token)),
            ServeAsync(async () => await listener.AcceptAsync(stopping.Token)),
            EchoDatagramsAsync(tun, stopping.Token),
            EchoDatagramsAsync(datagrams, stopping.Token),
        ];

        var device = new IPEndPoint(IPAddress.Parse("10.96.0.10"), 80);
        var loopback = (IPEndPoint)listener.LocalEndPoint!;
        var (streams, times, echoes) = (new Samples(), new Samples(), new Samples());
        for (var round = 0; round < Settings.Rounds; round++)
        {
            await streams.AddAsync(() => Stream(network, device), () => Stream(network, loopback));
            await times.AddAsync(() => RoundTrip(network, device), () => RoundTrip(network, loopback));
            await echoes.AddAsync(() => EchoRate(network, device), () => EchoRate(network, (IPEndPoint)datagrams.LocalEndPoint!));
        }

        report.Ratio("one TCP stream", "Gbit/s", streams.Device, "loopback", streams.Loopback, 0.4);
        report.AtMost("64 bytes there and back, p50 added", "µs", times.Device - times.Loopback, 60, "loopback", times.Loopback);
        report.Beside("UDP echo, 512 bytes, 32 at once", "1/s", echoes.Device, "loopback", echoes.Loopback);
        report.Note($"Medians of {Settings.Rounds} interleaved runs of {Duration.TotalSeconds:0} s. Client, capture and sink share one process and {Environment.ProcessorCount} processors. MTU {tun.Device.Mtu}.");
        await stopping.CancelAsync();
        listener.Dispose();
        datagrams.Dispose();
        await Task.WhenAll(serving);
    }

    /// <summary>The first byte of a connection says what it is for: 0 takes all and forgets it, 1 gives back what comes.</summary>
    private static async Task ServeAsync(Func<Task<Socket?>> next)
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                if (await next() is { } socket)
                {
                    connections.Add(Task.Run(() => Sink(socket)));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            await Task.WhenAll(connections);
        }
    }

    private static void Sink(Socket socket)
    {
        using (socket)
        {
            socket.NoDelay = true;
            var buffer = new byte[256 * 1024];
            socket.Receive(buffer, 1, SocketFlags.None);
            var echoes = buffer[0] == 1;
            int count;
            while ((count = socket.Receive(buffer)) > 0)
            {
                if (echoes)
                {
                    socket.Send(buffer.AsSpan(0, count));
                }
            }
        }
    }

    private static async Task EchoDatagramsAsync(ITunCapture tun, CancellationToken cancellationToken)
    {
        var buffer = new byte[65_507];
        try
        {
            while (true)
            {
                var datagram = await tun.ReceiveAsync(buffer, cancellationToken);
                await tun.SendAsync(datagram.OriginalDestination, datagram.Client, buffer.AsMemory(0, datagram.Length), cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private static async Task EchoDatagramsAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[65_507];
        try
        {
            while (true)
            {
                var datagram = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), cancellationToken);
                await socket.SendToAsync(buffer.AsMemory(0, datagram.ReceivedBytes), datagram.RemoteEndPoint, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    /// <summary>Gbit/s.</summary>
    private static double Stream(NetworkNamespace network, IPEndPoint to)
    {
        using var socket = Connect(network, to, 0);
        var buffer = new byte[128 * 1024];
        long sent = 0;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Duration)
        {
            sent += socket.Send(buffer);
        }

        var elapsed = clock.Elapsed;
        socket.Shutdown(SocketShutdown.Send);
        socket.Receive(buffer);
        return sent * 8 / elapsed.TotalSeconds / 1e9;
    }

    /// <summary>Microseconds, median.</summary>
    private static double RoundTrip(NetworkNamespace network, IPEndPoint to)
    {
        using var socket = Connect(network, to, 1);
        var buffer = new byte[64];
        var samples = new List<double>();
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Duration)
        {
            var before = Stopwatch.GetTimestamp();
            socket.Send(buffer);
            for (var received = 0; received < buffer.Length;)
            {
                received += socket.Receive(buffer);
            }

            samples.Add(Stopwatch.GetElapsedTime(before).TotalMicroseconds);
        }

        return Report.Median(samples);
    }

    /// <summary>Datagrams that came back in a second.</summary>
    private static double EchoRate(NetworkNamespace network, IPEndPoint to)
    {
        using var socket = network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        return DatagramEchoes.Rate(socket, to, Duration);
    }

    private static Socket Connect(NetworkNamespace network, IPEndPoint to, byte purpose)
    {
        var socket = network.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        socket.Connect(to);
        socket.Send([purpose]);
        return socket;
    }

    private sealed class Samples
    {
        private readonly List<double> device = [];
        private readonly List<double> loopback = [];

        public double Device => Report.Median(device);

        public double Loopback => Report.Median(loopback);

        /// <summary>Each on a thread of its own: the clients block.</summary>
        public async Task AddAsync(Func<double> throughDevice, Func<double> plain)
        {
            device.Add(await Task.Factory.StartNew(throughDevice, TaskCreationOptions.LongRunning));
            loopback.Add(await Task.Factory.StartNew(plain, TaskCreationOptions.LongRunning));
        }
    }
}
