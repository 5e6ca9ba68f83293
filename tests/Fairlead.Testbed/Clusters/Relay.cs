using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Testbed.Clusters;

/// <summary>Takes TCP connections to an address inside a host's network namespace on to one that this process reaches. Ends, half-closes and resets travel.</summary>
internal sealed class Relay : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _listener;
    private readonly IPEndPoint _target;
    private readonly Task _accepting;

    private Relay(Socket listener, IPEndPoint target)
    {
        _listener = listener;
        _target = target;
        _accepting = AcceptAsync();
    }

    public static Relay Start(Host host, IPEndPoint local, IPEndPoint target)
    {
        using var inside = NetworkNamespace.Open($"/proc/{host.Pid}/ns/net");
        // A socket stays in the namespace of the thread that made it.
        var listener = inside.Run(() => new Socket(local.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(local);
        listener.Listen(512);
        return new Relay(listener, target);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                var accepted = await _listener.AcceptAsync(_stop.Token);
                connections.RemoveAll(c => c.IsCompleted);
                connections.Add(CarryAsync(accepted));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task CarryAsync(Socket near)
    {
        using var far = new Socket(_target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (near)
        {
            near.NoDelay = true;
            try
            {
                await far.ConnectAsync(_target, _stop.Token);
                var there = PumpAsync(near, far);
                var back = PumpAsync(far, near);
                await await Task.WhenAny(there, back);
                await Task.WhenAll(there, back);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // Closing without lingering is a reset, which is what the other side's failure looked like.
                near.LingerState = far.LingerState = new LingerOption(true, 0);
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and var count)
        {
            for (var sent = 0; sent < count;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _stop.Token);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
