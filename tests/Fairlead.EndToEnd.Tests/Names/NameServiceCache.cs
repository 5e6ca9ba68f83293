using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Names;

/// <summary>nscd(8) on a laptop: programs of the C library ask it for names, and it keeps what it learnt.</summary>
internal static class NameServiceCache
{
    public const string Socket = "/run/nscd/socket";

    /// <summary>Debian's package, unpacked by ./test: installed it would start with this machine.</summary>
    private static readonly string Unpacked = Path.Combine(Programs.Root, "artifacts", "nscd");

    /// <summary>Where the program is, by which it is also told to forget.</summary>
    public static readonly string Binaries = $"{Unpacked}/usr/sbin";

    /// <summary>From now on every name is asked of it.</summary>
    public static async Task StartAsync(Laptop laptop)
    {
        File.Exists(Path.Combine(Binaries, "nscd")).ShouldBeTrue("./test unpacks nscd into artifacts");
        (await laptop.Host.ShellAsync($"mkdir -p /run/nscd /var/cache/nscd && cp {Unpacked}/etc/nscd.conf /etc/ && {Binaries}/nscd")).ShouldSucceed();
        await Shell.EventuallyAsync("nscd answers", async () => await EntriesAsync(laptop) >= 0);
    }

    /// <summary>How many answers about hosts it keeps.</summary>
    public static async Task<int> EntriesAsync(Laptop laptop)
    {
        var hosts = (await laptop.Host.RunAsync($"{Binaries}/nscd", "--statistics")).Text.Split("hosts cache:")[1];
        return int.Parse(hosts.Split("current number of cached values")[0].Split('\n')[^1], CultureInfo.InvariantCulture);
    }
}
