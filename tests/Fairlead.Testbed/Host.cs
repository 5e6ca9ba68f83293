using System.Diagnostics;
using System.Net.Sockets;
using Fairlead.Linux.Namespaces;

namespace Fairlead.Testbed;

/// <summary>
/// A machine of the test's own: network, mount and process namespaces with a private /etc, /var and /run, nothing of which has a name
/// on the real machine, and nothing of a Fairlead that is in use there. Its first process reads this process's pipe: when the test run ends, however it ends, the kernel ends every
/// process inside and takes the namespaces down.
/// </summary>
public sealed class Host : IAsyncDisposable
{
    private readonly Process _holder;
    private readonly int _init;

    private Host(string name, Process holder, int init, string directory)
    {
        Name = name;
        _holder = holder;
        _init = init;
        Directory = directory;
    }

    public string Name { get; }

    /// <summary>The directory of the real machine that takes what this host writes below /etc and /var.</summary>
    public string Directory { get; }

    public int Pid => _init;

    public static async Task<Host> CreateAsync(string name, bool bindMountedHosts = false)
    {
        var directory = System.IO.Directory.CreateTempSubdirectory($"flt-{name}-").FullName;
        var script = $"""
            set -e
            mount --make-rprivate /
            for d in etc var; do
              mkdir -p {directory}/$d {directory}/work-$d
              mount -t overlay overlay -o lowerdir=/$d,upperdir={directory}/$d,workdir={directory}/work-$d /$d
            done
            rm -rf /var/lib/fairlead /var/lib/fairlead-sandbox
            rm -f /etc/resolv.conf
            printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t{name}\n' > /etc/hosts
            printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > /etc/resolv.conf
            {(bindMountedHosts ? $"cp /etc/hosts {directory}/hosts && mount --bind {directory}/hosts /etc/hosts" : "true")}
            mount -t tmpfs tmpfs /run
            mkdir -p /run/netns /run/lock
            ip link set lo up
            sysctl -qw net.ipv4.ip_forward=1
            sysctl -qw net.ipv6.conf.default.accept_dad=0
            hostname {name}
            echo ready
            exec cat
            """;
        var holder = Shell.Start(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "bash", "-c", script]);
        var line = await holder.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20));
        if (line != "ready")
        {
            throw new InvalidOperationException($"no namespaces for {name}: {await holder.StandardError.ReadToEndAsync()}");
        }

        var children = await File.ReadAllTextAsync($"/proc/{holder.Id}/task/{holder.Id}/children");
        return new Host(name, holder, int.Parse(children.Trim()), directory);
    }

    /// <summary>
    /// A cable: this host gets <see cref="CableAddress"/> 1 of cable <paramref name="number"/>, the other 2 and its default route. Cables are in a network that
    /// is no cluster's and no VPN's (RFC 2544).
    /// </summary>
    public async Task ConnectAsync(Host other, int number)
    {
        var (near, far) = (CableAddress(number, 1), CableAddress(number, 2));

        // Only from the real machine do both hosts' process ids mean something.
        await Shell.RunAsync(["nsenter", "--target", $"{_init}", "--net", "ip", "link", "add", $"to{number}", "type", "veth", "peer", "name", "eth0", "netns", $"{other.Pid}"]).SucceedAsync();
        await RunAsync("ip", "addr", "add", $"{near}/30", "dev", $"to{number}").SucceedAsync();
        await RunAsync("ip", "link", "set", $"to{number}", "up").SucceedAsync();
        await other.RunAsync("ip", "addr", "add", $"{far}/30", "dev", "eth0").SucceedAsync();
        await other.RunAsync("ip", "link", "set", "eth0", "up").SucceedAsync();

        // The kernel gives it an IPv6 address of its own a moment later; who compares the host before and after must not see that.
        await other.ShellAsync("for _ in {1..100}; do ip -6 -o addr show dev eth0 scope link | grep -q . && exit; sleep 0.05; done; exit 1").SucceedAsync();
        await other.RunAsync("ip", "route", "add", "default", "via", near).SucceedAsync();
        await RunAsync("nft", $"add table ip flt; add chain ip flt post {{ type nat hook postrouting priority 100; }}; add rule ip flt post ip saddr {far} masquerade").SucceedAsync();
    }

    /// <summary>Of a cable's /30 in 198.19.0.0/17: there are 8192.</summary>
    public static string CableAddress(int number, int end) => $"198.19.{number / 64}.{number % 64 * 4 + end}";

    public IReadOnlyList<string> Inside(IEnumerable<string> command) =>
        ["nsenter", "--target", $"{_init}", "--net", "--mount", "--uts", "--pid", "--wd=/", "--", .. command];

    public Task<Outcome> RunAsync(params string[] command) => Shell.RunAsync(Inside(command));

    public Task<Outcome> RunAsync(IReadOnlyList<string> command, string? input = null, TimeSpan? limit = null, IReadOnlyDictionary<string, string>? environment = null) =>
        Shell.RunAsync(Inside(command), input, limit, environment);

    public Task<Outcome> ShellAsync(string script, TimeSpan? limit = null) => RunAsync(["bash", "-c", script], limit: limit);

    public Process Start(params string[] command) => Shell.Start(Inside(command));

    /// <summary>A socket of this host that the test itself uses: IPv4, TCP for streams and UDP for datagrams.</summary>
    public Socket OpenSocket(SocketType type)
    {
        using var inside = NetworkNamespace.Open($"/proc/{_init}/ns/net");
        return inside.Run(() => new Socket(AddressFamily.InterNetwork, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp));
    }

    public async Task<string> ReadAsync(string path) => (await RunAsync("cat", path)).ShouldSucceed().Output;

    public async Task WriteAsync(string path, string content) => (await RunAsync(["tee", path], content)).ShouldSucceed();

    public async ValueTask DisposeAsync()
    {
        _holder.StandardInput.Close();
        try
        {
            await _holder.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (TimeoutException)
        {
            _holder.Kill(entireProcessTree: true);
        }

        _holder.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}

internal static class OutcomeTasks
{
    public static async Task<Outcome> SucceedAsync(this Task<Outcome> task) => (await task).ShouldSucceed();
}
