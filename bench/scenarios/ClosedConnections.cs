using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>Requests one after the other, each on a connection that the server closes first: when the answer comes, and when the end.</summary>
internal static class ClosedConnections
{
    /// <summary>Medians, from the start of a connection.</summary>
    public static async Task<(double AnswerMilliseconds, double EndMilliseconds)> RunAsync(Laptop laptop, Way way, int count)
    {
        var text = (await laptop.Host.RunAsync(
            Environment.ProcessPath!, "closed-connections", way.Host, way.HttpClose.ToString(CultureInfo.InvariantCulture), count.ToString(CultureInfo.InvariantCulture))).Text.Split(' ');
        return (double.Parse(text[0], CultureInfo.InvariantCulture), double.Parse(text[1], CultureInfo.InvariantCulture));
    }

    public static async Task<int> MeasureAsync(string host, int port, int count)
    {
        var request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"u8.ToArray();
        var buffer = new byte[4096];
        var answers = new List<double>();
        var ends = new List<double>();
        for (var i = 0; i < count; i++)
        {
            var clock = Stopwatch.StartNew();
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(host, port);
            await socket.SendAsync(request);
            for (var first = true; await socket.ReceiveAsync(buffer) > 0; first = false)
            {
                if (first)
                {
                    answers.Add(clock.Elapsed.TotalMilliseconds);
                }
            }

            ends.Add(clock.Elapsed.TotalMilliseconds);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Report.Median(answers)} {Report.Median(ends)}"));
        return 0;
    }
}
