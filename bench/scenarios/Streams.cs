using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>Bytes to or from <c>streams.py</c> in a pod, on several connections: a number of them, not a time, so that no end has to break a connection off.</summary>
internal static class Streams
{
    public static string Server { get; } = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "streams.py"));

    /// <summary>Gbit/s of <paramref name="bytes"/> in all.</summary>
    public static async Task<double> RunAsync(Laptop laptop, Way way, int streams, bool down, long bytes)
    {
        string[] numbers = [.. new long[] { way.Streams, streams, bytes }.Select(n => n.ToString(CultureInfo.InvariantCulture))];
        var seconds = double.Parse((await laptop.Host.RunAsync([Environment.ProcessPath!, "streams", way.Host, .. numbers, down ? "d" : "u"])).Text, CultureInfo.InvariantCulture);
        return bytes * 8 / seconds / 1e9;
    }

    public static async Task<int> MeasureAsync(string host, int port, int streams, long bytes, string direction)
    {
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, streams).Select(_ => Task.Run(() => MoveAsync(host, port, bytes / streams, direction))));
        Console.WriteLine(clock.Elapsed.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static async Task MoveAsync(string host, int port, long left, string direction)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(host, port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(left.ToString("D16", CultureInfo.InvariantCulture) + direction));
        var buffer = new byte[1 << 18];
        if (direction == "u")
        {
            for (; left > 0; left -= buffer.Length)
            {
                await socket.SendAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)));
            }

            left = 1;
        }

        while (left > 0)
        {
            var count = await socket.ReceiveAsync(buffer);
            left -= count > 0 ? count : throw new IOException("the connection ended before everything had come");
        }
    }
}
