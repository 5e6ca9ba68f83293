using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Testbed.Clusters;

/// <summary>
/// Takes TCP connections into a host's network namespace, or out of it to what this process reaches. Ends, half-closes and resets travel; what is no
/// socket at the far side, and can't end one way, ends as a whole.
/// </summary>
public sealed class Relay : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _listener;
    private readonly Func<CancellationToken, Task<Stream>> _openFar;
    private readonly Task _accepting;

    private Relay(Socket listener, IPEndPoint local, Func<CancellationToken, Task<Stream>> openFar)
    {
        _listener = listener;
        _openFar = openFar;
        listener.Bind(local);
        listener.Listen(512);
        _accepting = AcceptAsync();
    }

    /// <summary>Where connections are taken.</summary>
    public IPEndPoint Local => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>From an address on the host to a stream of its own for each connection.</summary>
    /// <param name="openFar">Fails with <see cref="IOException"/> or <see cref="SocketException"/>.</param>
    public static Relay OutOf(Host host, IPEndPoint local, Func<CancellationToken, Task<Stream>> openFar) => new(OpenInside(host, local), local, openFar);

    /// <summary>From a port of this process's loopback to an address that the host reaches.</summary>
    public static Relay Into(Host host, IPEndPoint target)
    {
        var local = new IPEndPoint(IPAddress.Loopback, 0);
        return new Relay(new Socket(local.AddressFamily, SocketType.Stream, ProtocolType.Tcp), local, cancellationToken => ConnectAsync(OpenInside(host, target), target, cancellationToken));
    }

    /// <summary>A connection of this process, not of a host; of a name's addresses each is tried.</summary>
    public static Task<Stream> ConnectAsync(string name, int port, CancellationToken cancellationToken) =>
        ConnectAsync(new Socket(SocketType.Stream, ProtocolType.Tcp), new DnsEndPoint(name, port), cancellationToken);

    private static async Task<Stream> ConnectAsync(Socket socket, EndPoint target, CancellationToken cancellationToken)
    {
        try
        {
            socket.NoDelay = true;
            await socket.ConnectAsync(target, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A socket stays in the namespace of the thread that made it.</summary>
    private static Socket OpenInside(Host host, IPEndPoint address)
    {
        using var inside = NetworkNamespace.Open($"/proc/{host.Pid}/ns/net");
        return inside.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
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

    private async Task CarryAsync(Socket accepted)
    {
        accepted.NoDelay = true;
        await using var near = new NetworkStream(accepted, ownsSocket: true);
        Stream? far = null;
        try
        {
            far = await _openFar(_stop.Token);
            var there = PumpAsync(near, far);
            var back = PumpAsync(far, near);
            await await Task.WhenAny(there, back);
            if (far is NetworkStream)
            {
                await Task.WhenAll(there, back);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Closing without lingering is a reset, which is what the other side's failure looked like.
            foreach (var socket in new[] { near, far as NetworkStream }.OfType<NetworkStream>().Select(s => s.Socket))
            {
                socket.LingerState = new LingerOption(true, 0);
            }
        }
        finally
        {
            if (far is not null)
            {
                await far.DisposeAsync();
            }
        }
    }

    private async Task PumpAsync(Stream from, Stream to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var count)
        {
            await to.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
        }

        (to as NetworkStream)?.Socket.Shutdown(SocketShutdown.Send);
    }
}
