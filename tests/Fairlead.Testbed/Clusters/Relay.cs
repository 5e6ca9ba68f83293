using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Testbed.Clusters;

/// <summary>Takes TCP connections into a host's network namespace, or out of it to what this process reaches. Ends, half-closes and resets travel.</summary>
public sealed class Relay : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _listener;
    private readonly Func<Socket> _openFar;
    private readonly IPEndPoint _target;
    private readonly Task _accepting;

    private Relay(Socket listener, IPEndPoint local, Func<Socket> openFar, IPEndPoint target)
    {
        _listener = listener;
        _openFar = openFar;
        _target = target;
        listener.Bind(local);
        listener.Listen(512);
        _accepting = AcceptAsync();
    }

    /// <summary>Where connections are taken.</summary>
    public IPEndPoint Local => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>From an address on the host to one that this process reaches.</summary>
    public static Relay OutOf(Host host, IPEndPoint local, IPEndPoint target) => new(OpenInside(host, local), local, () => Open(target), target);

    /// <summary>From a port of this process's loopback to an address that the host reaches.</summary>
    public static Relay Into(Host host, IPEndPoint target)
    {
        var local = new IPEndPoint(IPAddress.Loopback, 0);
        return new Relay(Open(local), local, () => OpenInside(host, target), target);
    }

    private static Socket Open(IPEndPoint address) => new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>A socket stays in the namespace of the thread that made it.</summary>
    private static Socket OpenInside(Host host, IPEndPoint address)
    {
        using var inside = NetworkNamespace.Open($"/proc/{host.Pid}/ns/net");
        return inside.Run(() => Open(address));
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
        using var far = _openFar();
        using (near)
        {
            near.NoDelay = far.NoDelay = true;
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
