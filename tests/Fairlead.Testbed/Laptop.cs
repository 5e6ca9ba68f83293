using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Fairlead.Testbed;

/// <summary>A developer's machine with Fairlead on it, in namespaces of the test's own.</summary>
public sealed class Laptop(Host host, int number) : IAsyncDisposable
{
    public Host Host { get; } = host;

    public int Number { get; } = number;

    /// <summary>The cluster's host's address on the cable, by which everything else is reached.</summary>
    public string Gateway => Host.CableAddress(Number, 1);

    public string User { get; set; } = "";

    /// <summary>What every fairlead on this laptop finds in its environment, the daemon too.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public async Task StartAsync() => (await FairleadAsync("start")).ShouldSucceed();

    public Task<Outcome> FairleadAsync(params string[] arguments) => Host.RunAsync([Programs.Fairlead, .. arguments], environment: Environment);

    public Task<Outcome> FairleadWithInputAsync(string input, params string[] arguments) => Host.RunAsync([Programs.Fairlead, .. arguments], input, environment: Environment);

    public async Task ConsumeAsync(params string[] rules) => (await FairleadAsync(["consume", .. rules])).ShouldSucceed();

    public async Task RestartAsync() => (await FairleadAsync("restart")).ShouldSucceed();

    /// <summary>What curl's exit code may be where nothing answers: refused, or ended before an answer, while it sent, or while it read (everything.curl.dev, "Exit code").</summary>
    public static readonly int[] CurlWithoutAnswer = [7, 52, 55, 56];

    public Task<Outcome> CurlAsync(string url, params string[] more) => Host.RunAsync(["curl", "-sS", "--max-time", "10", "--noproxy", "*", .. more, url]);

    /// <summary>Requests on connections of their own, one after the other for twelve seconds: when those that failed began, in milliseconds since 1970.</summary>
    public async Task<long[]> FailuresOfRequestsAsync(string url) =>
    [
        .. (await Host.ShellAsync(
            $"end=$((SECONDS + 12)); while [ $SECONDS -lt $end ]; do began=$(date +%s%3N); curl -sS -o /dev/null --max-time 8 --noproxy '*' {url} 2>/dev/null || echo $began; sleep 0.02; done; true"))
            .Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(began => long.Parse(began, CultureInfo.InvariantCulture)),
    ];

    public async Task<int> DaemonPidAsync()
    {
        var status = JsonDocument.Parse((await FairleadAsync("status", "-o", "json")).Text).RootElement;
        return status.GetProperty("pid").GetInt32();
    }

    /// <summary>The one space that was joined, as the status tells it.</summary>
    public async Task<JsonElement> SpaceAsync() =>
        JsonDocument.Parse((await FairleadAsync("status", "-o", "json")).Text).RootElement.GetProperty("spaces").EnumerateArray().Single();

    /// <summary>
    /// Sets this laptop's clock as far off the real one as faketime(1) says (<c>-1d</c>, <c>+1d</c>, <c>+0</c>), also for programs that run. Before
    /// the first call nothing is faked: it comes before the daemon's start.
    /// </summary>
    public async Task SetClockAsync(string offset)
    {
        const string Offset = "/etc/clock-offset";
        await Host.WriteAsync(Offset, offset + "\n");
        Environment["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
        Environment["FAKETIME_TIMESTAMP_FILE"] = Offset;
        Environment["FAKETIME_CACHE_DURATION"] = "1";
        // Timers measure time that passes, whatever the clock on the wall says.
        Environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
    }

    /// <summary>What the shop's service gives for a datagram.</summary>
    public async Task<string> QuoteAsync() =>
        (await Host.ShellAsync("exec 3<>/dev/udp/quotes.shop/17; for i in 1 2 3; do echo please >&3; timeout 5 dd bs=600 count=1 status=none <&3 && break; done")).Text;

    /// <summary>As a local program resolves a name.</summary>
    public async Task<IPAddress> ResolveAsync(string name) => IPAddress.Parse((await Host.RunAsync("getent", "ahostsv4", name)).Text.Split(' ')[0]);

    /// <summary>A firewall that lets HTTPS out and nothing else: the gateway's data port is refused.</summary>
    public async Task ShutDataPortAsync() => (await Host.RunAsync(
        "nft", "add table ip shut; add chain ip shut out { type filter hook output priority 0; }; add rule ip shut out tcp dport 30444 reject with tcp reset")).ShouldSucceed();

    /// <summary>A firewall that says nothing and lets nothing through to the gateway's ports: what is left is the API server.</summary>
    public async Task ShutGatewayPortsAsync() => (await Host.RunAsync(
        "nft", "add table inet shut; add chain inet shut out { type filter hook output priority 0; }; add rule inet shut out tcp dport { 30443, 30444 } drop")).ShouldSucceed();

    public async Task OpenGatewayPortsAsync() => (await Host.RunAsync("nft", "delete", "table", "inet", "shut")).ShouldSucceed();

    /// <summary>kill -9 of the daemon, by the pid it has inside this host.</summary>
    public async Task KillDaemonAsync() =>
        (await Host.RunAsync("kill", "-9", (await DaemonPidAsync()).ToString(CultureInfo.InvariantCulture))).ShouldSucceed();

    public async Task CutLinkAsync() => (await Host.RunAsync("ip", "link", "set", "eth0", "down")).ShouldSucceed();

    public async Task RestoreLinkAsync()
    {
        (await Host.RunAsync("ip", "link", "set", "eth0", "up")).ShouldSucceed();
        (await Host.RunAsync("ip", "route", "replace", "default", "via", Gateway)).ShouldSucceed();
    }

    public async Task PrintLogsAsync()
    {
        Console.Error.WriteLine($"--- daemon of {Host.Name}");
        Console.Error.WriteLine((await Host.ShellAsync("tail -n 100 /var/lib/fairlead/daemon.log /run/fairlead/daemon.log")).Output);
    }

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}
