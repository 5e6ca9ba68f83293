using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

internal sealed record HttpResult(double RequestsPerSecond, double P50Microseconds, double P99Microseconds);

/// <summary>The load generators: iperf3 and wrk, on the laptop.</summary>
internal static partial class Tools
{
    /// <summary>Gbit/s that arrived.</summary>
    public static async Task<double> IperfAsync(Laptop laptop, Way way, int streams, bool down, int seconds = 3)
    {
        string[] command = ["iperf3", "-J", "-c", way.Host, "-p", $"{way.Streams}", "-t", $"{seconds}", "-O", "1", "-P", $"{streams}", .. down ? (string[])["-R"] : []];
        for (var attempt = 1; ; attempt++)
        {
            var json = JsonDocument.Parse((await laptop.Host.RunAsync(command)).Output).RootElement;
            if (!json.TryGetProperty("error", out var error))
            {
                return json.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e9;
            }

            // An iperf3 server does one test at a time and needs a moment after each.
            if (attempt == 5)
            {
                throw new InvalidOperationException($"iperf3 by way of {way.Name}: {error.GetString()}");
            }

            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    /// <param name="newConnections">Each request on a connection of its own, which the server closes.</param>
    public static async Task<HttpResult> WrkAsync(Laptop laptop, Way way, int clients, bool newConnections, int seconds = 3)
    {
        var url = $"http://{way.Host}:{(newConnections ? way.HttpClose : way.Http)}/";
        var text = (await laptop.Host.RunAsync("wrk", "-t1", $"-c{clients}", $"-d{seconds}s", "--latency", url)).Text;
        return new HttpResult(
            double.Parse(Rate().Match(text).Groups[1].Value, CultureInfo.InvariantCulture),
            Microseconds(Percentile50().Match(text).Groups["value"].Value),
            Microseconds(Percentile99().Match(text).Groups["value"].Value));
    }

    private static double Microseconds(string text)
    {
        var match = Duration().Match(text);
        var factor = match.Groups[2].Value switch { "us" => 1, "ms" => 1e3, "s" => 1e6, var unit => throw new FormatException($"'{unit}' in '{text}'") };
        return double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * factor;
    }

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex Rate();

    [GeneratedRegex(@"^\s+50%\s+(?<value>\S+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Percentile50();

    [GeneratedRegex(@"^\s+99%\s+(?<value>\S+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Percentile99();

    [GeneratedRegex(@"^([\d.]+)(us|ms|s)$")]
    private static partial Regex Duration();
}
