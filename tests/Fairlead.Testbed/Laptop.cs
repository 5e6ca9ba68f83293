using System.Globalization;

namespace Fairlead.Testbed;

/// <summary>A developer's machine with Fairlead on it, in namespaces of the test's own.</summary>
public sealed class Laptop(Host host, int number) : IAsyncDisposable
{
    public Host Host { get; } = host;

    public int Number { get; } = number;

    public string User { get; set; } = "";

    public async Task StartAsync() => (await FairleadAsync("start")).ShouldSucceed();

    public Task<Outcome> FairleadAsync(params string[] arguments) => Host.RunAsync([Programs.Fairlead, .. arguments]);

    public Task<Outcome> FairleadWithInputAsync(string input, params string[] arguments) => Host.RunAsync([Programs.Fairlead, .. arguments], input);

    public async Task ConsumeAsync(params string[] rules) => (await FairleadAsync(["consume", .. rules])).ShouldSucceed();

    public Task<Outcome> CurlAsync(string url, params string[] more) => Host.RunAsync(["curl", "-sS", "--max-time", "10", "--noproxy", "*", .. more, url]);

    public async Task<int> DaemonPidAsync()
    {
        var status = System.Text.Json.JsonDocument.Parse((await FairleadAsync("status", "-o", "json")).Text).RootElement;
        return status.GetProperty("pid").GetInt32();
    }

    /// <summary>kill -9 of the daemon, by the pid it has inside this host.</summary>
    public async Task KillDaemonAsync() =>
        (await Host.RunAsync("kill", "-9", (await DaemonPidAsync()).ToString(CultureInfo.InvariantCulture))).ShouldSucceed();

    public async Task CutLinkAsync() => (await Host.RunAsync("ip", "link", "set", "eth0", "down")).ShouldSucceed();

    public async Task RestoreLinkAsync()
    {
        (await Host.RunAsync("ip", "link", "set", "eth0", "up")).ShouldSucceed();
        (await Host.RunAsync("ip", "route", "replace", "default", "via", $"10.{100 + Number}.0.1")).ShouldSucceed();
    }

    public async Task PrintLogsAsync()
    {
        Console.Error.WriteLine($"--- daemon of {Host.Name}");
        Console.Error.WriteLine((await Host.ShellAsync("tail -n 80 /var/log/fairlead/*.log /run/fairlead/*.log 2>/dev/null")).Output);
    }

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}
