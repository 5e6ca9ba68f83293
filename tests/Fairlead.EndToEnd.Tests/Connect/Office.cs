using System.Diagnostics;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>
/// The network behind a VPN: a host at the far end of a cable whose near end on the laptop plays the VPN's device. Which networks lead
/// there is the test's to say, by routes on the laptop, as a VPN client sets them.
/// </summary>
internal sealed class Office : IAsyncDisposable
{
    private readonly Laptop laptop;

    private Office(Laptop laptop, Host host, string device, string gateway) => (this.laptop, Host, Device, Gateway) = (laptop, host, device, gateway);

    public Host Host { get; }

    public string Device { get; }

    /// <summary>The office's end of the link.</summary>
    public string Gateway { get; }

    /// <param name="device">Name of the device on the laptop.</param>
    /// <param name="link">The first three octets of the link's /24; the laptop is .2.</param>
    /// <param name="hosts">Addresses that answer behind it.</param>
    public static async Task<Office> CreateAsync(Laptop laptop, string device, string link, params string[] hosts)
    {
        var host = await Host.CreateAsync($"office{laptop.Number}{device}");
        await Shell.RunAsync(["nsenter", "--target", $"{laptop.Host.Pid}", "--net", "ip", "link", "add", device, "type", "veth", "peer", "name", "vpn", "netns", $"{host.Pid}"]).ShouldSucceedAsync();
        await laptop.Host.ShellAsync($"ip addr add {link}.2/24 dev {device} && ip link set {device} up").ShouldSucceedAsync();
        await host.ShellAsync($"ip addr add {link}.1/24 dev vpn && ip link set vpn up && ip route add default via {link}.2").ShouldSucceedAsync();
        foreach (var address in hosts)
        {
            await host.RunAsync("ip", "addr", "add", address + "/32", "dev", "lo").ShouldSucceedAsync();
        }

        return new Office(laptop, host, device, link + ".1");
    }

    /// <summary>As the VPN's client does it.</summary>
    public Task RouteAsync(string destination, string verb = "add") => laptop.Host.RunAsync("ip", "route", verb, destination, "via", Gateway, "dev", Device).ShouldSucceedAsync();

    public Task UnrouteAsync(string destination) => RouteAsync(destination, "del");

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

/// <summary>Pings a host all the time, twenty times a second, and counts what was lost between the first and the last answer.</summary>
internal sealed class Prober
{
    private readonly Process ping;
    private readonly Task<string> output;

    private Prober(Process ping, Task<string> output) => (this.ping, this.output) = (ping, output);

    /// <summary>Returns once the host has answered.</summary>
    public static async Task<Prober> StartAsync(Laptop laptop, string address)
    {
        await Shell.EventuallyAsync($"{address} answers", async () => (await laptop.Host.RunAsync("ping", "-n", "-c", "1", "-W", "1", address)).ExitCode == 0, TimeSpan.FromSeconds(20));
        var ping = laptop.Host.Start("bash", "-c", $"ping -n -i 0.05 {address} & read; kill -INT $!; wait");
        return new Prober(ping, ping.StandardOutput.ReadToEndAsync());
    }

    /// <returns>How many were answered, and how many between two answered ones weren't.</returns>
    public async Task<(int Answered, int Lost)> StopAsync()
    {
        ping.StandardInput.Close();
        var answered = (await output.WaitAsync(TimeSpan.FromSeconds(20))).Split('\n')
            .Select(line => line.Split("icmp_seq=")).Where(parts => parts.Length == 2 && parts[1].Contains("time=", StringComparison.Ordinal))
            .Select(parts => int.Parse(parts[1].Split(' ')[0])).ToList();
        ping.Dispose();
        return answered.Count == 0 ? (0, 0) : (answered.Count, answered[^1] - answered[0] + 1 - answered.Count);
    }

    /// <param name="after">Probed for this long before.</param>
    public async Task ShouldHaveLostNothingAsync(TimeSpan after = default)
    {
        await Task.Delay(after);
        var (answered, lost) = await StopAsync();
        answered.ShouldBeGreaterThan(5);
        lost.ShouldBe(0);
    }
}

internal static class Outcomes
{
    public static async Task<Outcome> ShouldSucceedAsync(this Task<Outcome> task) => (await task).ShouldSucceed();
}
