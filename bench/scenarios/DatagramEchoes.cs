using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>Datagrams there and back, 32 of 512 bytes under way at once.</summary>
internal static class DatagramEchoes
{
    private const int Size = 512;
    private const int AtOnce = 32;

    /// <summary>The far side's port.</summary>
    public const int Port = 7;

    /// <summary>The far side, in a pod: this program, as quick as it can be (an echo in Python returned at most some 30 000 a second, and so measured itself).</summary>
    public static string Server { get; } = $"exec {Environment.ProcessPath} datagram-echo";

    public static async Task<int> ServeAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, Port));
        await new LinuxHost(new LinuxHostPaths()).ServeDatagramsAsync(socket, Size, Echo, _ => { }, CancellationToken.None);
        return 0;

        static int Echo(ReadOnlySpan<byte> datagram, SocketAddress client, Span<byte> answer)
        {
            datagram.CopyTo(answer);
            return datagram.Length;
        }
    }

    /// <summary>Datagrams that come back in a second.</summary>
    public static async Task<double> RunAsync(Laptop laptop, Way way, int seconds = 3)
    {
        var numbers = new[] { way.Echo, seconds }.Select(n => n.ToString(CultureInfo.InvariantCulture)).ToArray();
        return double.Parse((await laptop.Host.RunAsync([Environment.ProcessPath!, "datagram-echoes", way.Host, .. numbers])).Text, CultureInfo.InvariantCulture);
    }

    public static int Measure(string host, int port, int seconds)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        Console.WriteLine(Rate(socket, new IPEndPoint(IPAddress.Parse(host), port), TimeSpan.FromSeconds(seconds)).ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    public static double Rate(Socket socket, IPEndPoint to, TimeSpan duration)
    {
        socket.ReceiveTimeout = 100;
        socket.Connect(to);
        var buffer = new byte[Size];
        long back = 0;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < duration)
        {
            for (var i = 0; i < AtOnce; i++)
            {
                socket.Send(buffer);
            }

            try
            {
                for (var i = 0; i < AtOnce; i++)
                {
                    socket.Receive(buffer);
                    back++;
                }
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            {
                // Some were lost: the next round begins anew.
            }
        }

        return back / clock.Elapsed.TotalSeconds;
    }
}
