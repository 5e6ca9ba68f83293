using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Fairlead.Tests.Tunnel;

/// <summary>An HTTP proxy that knows CONNECT with basic credentials, and nothing else.</summary>
internal sealed class ConnectProxy : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly string _expected;
    private readonly Task _accepting;

    public ConnectProxy(string user, string password)
    {
        _expected = $"Proxy-Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"))}";
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public ConcurrentQueue<string> Targets { get; } = [];

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptAsync();
                var request = new byte[4096];
                var count = 0;
                while (!request.AsSpan(0, count).EndsWith("\r\n\r\n"u8))
                {
                    count += await client.ReceiveAsync(request.AsMemory(count));
                }

                var lines = Encoding.ASCII.GetString(request, 0, count).Split("\r\n");
                if (!lines.Contains(_expected))
                {
                    await client.SendAsync("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                    client.Dispose();
                    continue;
                }

                var target = lines[0].Split(' ')[1];
                Targets.Enqueue(target);
                var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await far.ConnectAsync(IPEndPoint.Parse(target));
                await client.SendAsync("HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n"u8.ToArray());
                _ = PumpAsync(client, far);
                _ = PumpAsync(far, client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private static async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer)) > 0;)
            {
                await to.SendAsync(buffer.AsMemory(0, count));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One of them is gone, and so is the other, below.
        }

        from.Dispose();
        to.Dispose();
    }
}
