using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>How long connect takes, and how long a route that comes from elsewhere stays unanswered.</summary>
internal static partial class ConnectDelays
{
    private const string Conflicting = "10.96.0.0/12";

    /// <summary>Milliseconds from <c>fairlead connect</c> until a name of the cluster is resolved and a connection to it is open. Not connected before or after.</summary>
    public static async Task<double> FirstNameAsync(Laptop laptop, string name, int port)
    {
        var milliseconds = (await laptop.Host.RunAsync(Environment.ProcessPath!, "first-name", Programs.Fairlead, name, port.ToString(CultureInfo.InvariantCulture))).Text;
        (await laptop.FairleadAsync("disconnect")).ShouldSucceed();
        return double.Parse(milliseconds, CultureInfo.InvariantCulture);
    }

    public static async Task<int> MeasureFirstNameAsync(string fairlead, string name, int port)
    {
        var clock = Stopwatch.StartNew();
        using var connect = Process.Start(new ProcessStartInfo(fairlead, "connect") { UseShellExecute = false, RedirectStandardOutput = true })!;
        await connect.StandardOutput.ReadToEndAsync();
        await connect.WaitForExitAsync();
        if (connect.ExitCode != 0)
        {
            return connect.ExitCode;
        }

        var address = Dns.GetHostAddresses(name, AddressFamily.InterNetwork)[0];
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(address, port);
        Console.WriteLine(clock.Elapsed.TotalMilliseconds.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    /// <summary>
    /// A connected laptop gets a route that conflicts with the services, as from a VPN, and loses it again: milliseconds, each, from the kernel's word of that route to its word of
    /// the last change to our rules and table.
    /// </summary>
    public static async Task<IReadOnlyList<double>> ReplanAsync(Laptop laptop)
    {
        var events = (await laptop.Host.ShellAsync($"""
            set -e
            ip link add vpn-bench type veth peer name vpn-far && ip link set vpn-far up && ip link set vpn-bench up && sleep 2
            ip -ts monitor route rule > /run/monitor & monitor=$!
            sleep 0.5; ip route add {Conflicting} dev vpn-bench; sleep 2; ip route del {Conflicting} dev vpn-bench; sleep 2
            kill $monitor; ip link del vpn-bench; cat /run/monitor
            """)).Text.Split('\n');
        var turns = events.Index().Where(e => e.Item.Contains(Conflicting, StringComparison.Ordinal)).Select(e => e.Index).ToArray();
        return turns.Length == 2
            ? [After(events[turns[0]..turns[1]]), After(events[turns[1]..])]
            : throw new InvalidOperationException($"the route was not seen to come and go:\n{string.Join('\n', events)}");

        static double After(string[] turn) => turn.LastOrDefault(e => e.Contains("64030", StringComparison.Ordinal)) is { } last
            ? (At(last) - At(turn[0])).TotalMilliseconds
            : throw new InvalidOperationException($"nothing was changed after it:\n{string.Join('\n', turn)}");

        static DateTime At(string e) => DateTime.Parse(Time().Match(e).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^\[(\S+)\]")]
    private static partial Regex Time();
}
