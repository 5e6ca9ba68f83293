using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>A namespace with a device that 10.96.0.0/16 and fd96::/64 are routed to, and a far side that answers by port.</summary>
internal sealed class TunNamespace : IAsyncDisposable
{
    public const int Refused = 1;
    public const int Filtered = 2;
    public const int Unreachable = 3;
    public const int Prohibited = 4;

    private readonly CancellationTokenSource stopping = new();
    private readonly Func<IPEndPoint, CaptureRefusal?> judge;
    private readonly Task serving;

    /// <param name="serve">Serves a connection; echo otherwise.</param>
    /// <param name="judge">Says what is refused; the ports above otherwise.</param>
    public TunNamespace(int mtu = 1500, Func<ITunConnection, Socket, Task>? serve = null, Func<IPEndPoint, CaptureRefusal?>? judge = null)
    {
        this.judge = judge ?? Judge;
        Tun = Inside.Inside(() => Inside.Host.OpenTunAsync(TunOptions.Default with { Mtu = mtu }, CancellationToken.None));
        Inside.Run("ip", "route", "add", "10.96.0.0/16", "dev", Tun.Device.Name);
        Inside.Run("ip", "-6", "route", "add", "fd96::/64", "dev", Tun.Device.Name);

        // The kernel makes an IPv6 address's own route a moment after the address (addrconf's work queue): a datagram would be lost before.
        Inside.Run("sh", "-c", $"until ip -6 route show table local | grep -q {Tun.Device.Address6}; do sleep 0.02; done").ShouldBe("");
        serving = ServeAsync(serve ?? ((_, socket) => EchoAsync(socket)));
    }

    public static IPAddress Service { get; } = IPAddress.Parse("10.96.0.10");

    public static IPAddress Service6 { get; } = IPAddress.Parse("fd96::10");

    public LoopbackNamespace Inside { get; } = new();

    public ITunCapture Tun { get; }

    /// <summary>How often each destination was to be dialled.</summary>
    public ConcurrentDictionary<IPEndPoint, int> Dials { get; } = new();

    public Socket Tcp(AddressFamily family = AddressFamily.InterNetwork) => Inside.Inside(() => new Socket(family, SocketType.Stream, ProtocolType.Tcp));

    public Socket Udp(AddressFamily family = AddressFamily.InterNetwork) => Inside.Inside(() => new Socket(family, SocketType.Dgram, ProtocolType.Udp));

    public Process Start(string program, params string[] arguments) => Inside.Inside(() =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true, UseShellExecute = false })!);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await serving;
        await Tun.DisposeAsync();
        stopping.Dispose();
        Inside.Dispose();
    }

    /// <summary>Gives back what comes until it ends, then ends.</summary>
    public static async Task EchoAsync(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await socket.ReceiveAsync(buffer)) > 0)
        {
            await socket.SendAsync(buffer.AsMemory(0, count));
        }

        socket.Shutdown(SocketShutdown.Send);
    }

    private static CaptureRefusal? Judge(IPEndPoint destination) => destination.Port switch
    {
        Refused => CaptureRefusal.Refused,
        Filtered => CaptureRefusal.Silence,
        Unreachable => CaptureRefusal.Unreachable,
        Prohibited => CaptureRefusal.Prohibited,
        _ => null,
    };

    private async Task ServeAsync(Func<ITunConnection, Socket, Task> serve)
    {
        var running = new ConcurrentBag<Task>();
        try
        {
            while (true)
            {
                var connection = await Tun.AcceptAsync(stopping.Token);
                Dials.AddOrUpdate(connection.Destination, 1, (_, count) => count + 1);
                running.Add(AnswerAsync(connection, serve));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or Fairlead.Platform.HostException)
        {
            await Task.WhenAll(running);
        }
    }

    private async Task AnswerAsync(ITunConnection connection, Func<ITunConnection, Socket, Task> serve)
    {
        if (judge(connection.Destination) is { } refusal)
        {
            connection.Refuse(refusal);
            return;
        }

        try
        {
            using var socket = await connection.AcceptAsync(stopping.Token);
            if (socket is not null)
            {
                await using var _ = stopping.Token.Register(socket.Dispose);
                await serve(connection, socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The client went, or the test is over.
        }
    }
}
