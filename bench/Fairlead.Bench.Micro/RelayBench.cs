using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Gateway;
using Fairlead.Tests.Tunnel;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Relay;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Bench.Micro;

/// <summary>
/// Application, relay, direct carrier, relay and far side in one process on loopback: what the tunnel itself costs, without a kernel capture.
/// A far side is a socket of this process, so the figures hold the cost of both ends.
/// </summary>
internal static class RelayBench
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "far.bench.svc", 80);

    public static async Task StreamAsync(TimeSpan length)
    {
        await using var rig = new Rig();
        var buffer = new byte[256 * 1024];
        foreach (var up in new[] { true, false })
        {
            var (app, far) = await rig.OpenAsync();
            var (source, sink) = up ? (app, far) : (far, app);
            using var stop = new CancellationTokenSource();
            var send = Task.Run(async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await source.SendAsync(buffer.AsMemory());
                }

                source.Shutdown(SocketShutdown.Send);
            });
            var scrap = new byte[256 * 1024];
            for (var warm = Stopwatch.StartNew(); warm.ElapsedMilliseconds < 700;)
            {
                await sink.ReceiveAsync(scrap.AsMemory());
            }

            var before = GC.GetTotalAllocatedBytes(precise: true);
            var cpu = Process.GetCurrentProcess().TotalProcessorTime;
            var watch = Stopwatch.StartNew();
            long total = 0;
            while (watch.Elapsed < length)
            {
                total += await sink.ReceiveAsync(scrap.AsMemory());
            }

            var elapsed = watch.Elapsed.TotalSeconds;
            var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
            var used = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds;
            Console.WriteLine($"stream {(up ? "up  " : "down")}: {total * 8 / elapsed / 1e9,6:F2} Gbit/s   {allocated / (total / 1048576.0),6:F0} B allocated per MiB   {used / elapsed:F2} cores");
            await stop.CancelAsync();
            while (await sink.ReceiveAsync(scrap) > 0)
            {
            }

            await send;
            app.Dispose();
            far.Dispose();
        }
    }

    public static async Task OpensAsync(TimeSpan length)
    {
        await using var rig = new Rig();
        foreach (var parallel in new[] { 1, 32 })
        {
            var watch = Stopwatch.StartNew();
            var counts = await Task.WhenAll(Enumerable.Range(0, parallel).Select(_ => Task.Run(async () =>
            {
                var count = 0;
                var scrap = new byte[64];
                while (watch.Elapsed < length)
                {
                    var (app, far) = await rig.OpenAsync();
                    await app.SendAsync(scrap);
                    await far.ReceiveAsync(scrap);
                    await far.SendAsync(scrap);
                    far.Shutdown(SocketShutdown.Send);
                    while (await app.ReceiveAsync(scrap) > 0)
                    {
                    }

                    app.Shutdown(SocketShutdown.Send);
                    await far.ReceiveAsync(scrap);
                    app.Dispose();
                    far.Dispose();
                    count++;
                }

                return count;
            })));
            Console.WriteLine($"opens, {parallel,2} at a time: {counts.Sum() / watch.Elapsed.TotalSeconds,8:F0}/s (one small request each)");
        }
    }

    public static async Task IdleAsync(int flows)
    {
        await using var rig = new Rig();
        var (first, second) = await rig.OpenAsync();
        long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            Process.GetCurrentProcess().Refresh();
            return Environment.WorkingSet;
        }

        var before = Resident();
        var managed = GC.GetTotalMemory(true);
        var open = new List<Socket> { first, second };
        var scrap = new byte[64];
        for (var i = 0; i < flows; i++)
        {
            var (app, far) = await rig.OpenAsync();
            await app.SendAsync(scrap);
            await far.ReceiveAsync(scrap);
            await far.SendAsync(scrap);
            await app.ReceiveAsync(scrap);
            open.Add(app);
            open.Add(far);
        }

        await Task.Delay(500);
        Console.WriteLine($"idle: {(Resident() - before) / 1024.0 / flows:F1} KiB resident per flow, {(GC.GetTotalMemory(true) - managed) / 1024.0 / flows:F1} KiB of it managed ({flows} flows, both ends, and the two sockets at their outside)");
        open.ForEach(s => s.Dispose());
    }

    private sealed class Rig : IFlowHandler, IAsyncDisposable
    {
        private readonly TestSpace _space = new();
        private readonly DirectCarrierServer _server;
        private readonly DirectCarrier _client;
        private readonly Socket _farListener = Listen();
        private readonly Socket _appListener = Listen();
        private readonly FlowCounters _counters = new();
        private readonly SemaphoreSlim _pairing = new(1);

        public Rig()
        {
            _server = new DirectCarrierServer(
                new DirectCarrierServerOptions { EndPoint = new IPEndPoint(IPAddress.Loopback, 0), Certificate = () => _space.ServerContext, Identify = _space.Identify },
                this,
                NullLogger<DirectCarrierServer>.Instance);
            _server.Start();
            _client = new DirectCarrier(new DnsEndPoint("127.0.0.1", _server.EndPoint.Port), _space.Tls);
        }

        public async Task<(Socket App, Socket Far)> OpenAsync()
        {
            // One at a time, so that the two accepts belong together.
            await _pairing.WaitAsync();
            try
            {
                var app = await ConnectAsync(_appListener);
                var inner = await _appListener.AcceptAsync();
                inner.NoDelay = true;
                var accepted = _farListener.AcceptAsync();
                var opening = await _client.OpenAsync(Target, null, CancellationToken.None);
                var flow = opening.Flow ?? throw new InvalidOperationException(opening.Refusal!.Message);
                _ = FlowRelay.RunAsync(flow, inner, _counters, CancellationToken.None);
                var far = await accepted;
                far.NoDelay = true;
                return (app, far);
            }
            finally
            {
                _pairing.Release();
            }
        }

        public async Task HandleAsync(IIncomingFlow flow, CancellationToken cancellationToken)
        {
            var socket = await ConnectAsync(_farListener);
            await FlowRelay.RunAsync(await flow.AcceptAsync(cancellationToken), socket, _counters, cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await _client.DisposeAsync();
            await _server.DisposeAsync();
            _farListener.Dispose();
            _appListener.Dispose();
            _space.Dispose();
        }

        private static Socket Listen()
        {
            var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1024);
            return listener;
        }

        private static async Task<Socket> ConnectAsync(Socket listener)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(listener.LocalEndPoint!);
            return socket;
        }
    }
}
