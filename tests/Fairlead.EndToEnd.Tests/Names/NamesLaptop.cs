using System.Text;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>What a laptop of these tests has besides Fairlead: DNS servers that stand for those of its networks.</summary>
internal static class NamesLaptop
{
    /// <summary>Where the laptop's network has its DNS server.</summary>
    public const string NetworkServer = "192.0.2.53";

    /// <summary>Where a VPN has its own.</summary>
    public const string VpnServer = "192.0.2.54";

    /// <summary>As <paramref name="zone"/> on an address of the laptop's own: the names that it knows lead to <paramref name="answer"/>.</summary>
    public static async Task StartServerAsync(this Laptop laptop, string address, string zone, string answer, params string[] more)
    {
        await laptop.Host.ShellAsync($"ip addr add {address}/32 dev lo 2>/dev/null");
        (await laptop.Host.RunAsync(["dnsmasq", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", $"--listen-address={address}", "--except-interface=none",
            $"--address=/{zone}/{answer}", $"--pid-file=/run/dnsmasq-{address}.pid", "--log-queries", $"--log-facility=/run/dnsmasq-{address}.log", .. more])).ShouldSucceed();
    }

    public static async Task StopServerAsync(this Laptop laptop, string address) => (await laptop.Host.ShellAsync($"kill $(cat /run/dnsmasq-{address}.pid)")).ShouldSucceed();

    /// <summary>What such a server was asked.</summary>
    public static Task<string> QueriesAsync(this Laptop laptop, string address) => laptop.Host.ReadAsync($"/run/dnsmasq-{address}.log");

    public static async Task UseDnsAsync(this Laptop laptop)
    {
        (await laptop.FairleadAsync("options", "set", "resolver", "dns")).ShouldSucceed();
    }

    /// <summary>As programs of the C library resolve it; null when they can't.</summary>
    public static async Task<string?> LookUpAsync(this Laptop laptop, string name)
    {
        var outcome = await laptop.Host.RunAsync("getent", "ahostsv4", name);
        return outcome.ExitCode == 0 ? outcome.Output.Split(' ', 2)[0] : null;
    }

    /// <summary>The answer section and the status, as dig(1) tells them.</summary>
    public static async Task<string> DigAsync(this Laptop laptop, params string[] arguments) => (await laptop.Host.RunAsync(["dig", "+time=5", "+tries=1", "+noall", "+answer", "+comments", .. arguments])).Output;

    public static Task EventuallyResolvesAsync(this Laptop laptop, string name, string address) =>
        Shell.EventuallyAsync($"{name} is {address}", async () => await laptop.LookUpAsync(name) == address);
}
