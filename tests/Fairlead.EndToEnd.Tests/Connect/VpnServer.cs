using System.Diagnostics;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>A real VPN: a server on a host of its own, and what its client on the laptop needs. The wire between them is 198.51.100.0/24.</summary>
internal sealed class VpnServer : IAsyncDisposable
{
    public const string OpenVpnNetwork = "198.19.210.0/24";

    /// <summary>The server's in it.</summary>
    public const string OpenVpnAddress = "198.19.210.1";

    public const string WireGuardNetwork = "198.19.211.0/24";

    private const string Address = "198.51.100.1";
    private readonly Laptop laptop;
    private readonly Office office;
    private readonly List<Process> programs = [];

    private VpnServer(Laptop laptop, Office office) => (this.laptop, this.office) = (laptop, office);

    /// <param name="hosts">Addresses that answer behind the VPN.</param>
    public static async Task<VpnServer> CreateAsync(Laptop laptop, params string[] hosts) => new(laptop, await Office.CreateAsync(laptop, "wan0", "198.51.100", hosts));

    /// <summary>OpenVPN, each side known to the other by its certificate's fingerprint. Returns once <see cref="OpenVpnAddress"/> is there for others to listen at.</summary>
    /// <param name="pushed">Options that the server gives the client, such as <c>route 10.0.0.0 255.0.0.0</c>.</param>
    public async Task StartOpenVpnServerAsync(params string[] pushed)
    {
        var (server, client) = (await CertifyAsync(office.Host, "server"), await CertifyAsync(laptop.Host, "client"));
        programs.Add(office.Host.Start([
            "openvpn", "--dev", "tun0", "--dev-type", "tun", "--disable-dco", "--topology", "subnet", "--server", "198.19.210.0", "255.255.255.0", "--local", Address, "--dh", "none",
            "--cert", "/etc/vpn.crt", "--key", "/etc/vpn.key", "--peer-fingerprint", client, "--keepalive", "1", "10", .. pushed.SelectMany(option => new[] { "--push", option }), "--log", "/run/openvpn.log"]));
        await Shell.EventuallyAsync($"OpenVPN has {OpenVpnAddress}", async () => (await office.Host.RunAsync("ip", "-o", "addr", "show", "to", OpenVpnAddress)).Text.Length > 0);
        await laptop.Host.WriteAsync("/etc/vpn.conf", $"""
            client
            dev tun0
            dev-type tun
            disable-dco
            remote {Address} 1194 udp
            nobind
            cert /etc/vpn.crt
            key /etc/vpn.key
            peer-fingerprint {server}
            connect-retry 1
            log /run/openvpn.log

            """);
    }

    /// <summary>
    /// From now on the client of OpenVPN does with pushed servers of names what Debian's /etc/openvpn/update-resolv-conf does where there is no
    /// resolvconf(8): a backup of resolv.conf, a file of its own, and at the end the backup again.
    /// </summary>
    public async Task UseScriptForNamesAsync()
    {
        await laptop.Host.WriteAsync("/etc/vpn-names", """
            #!/bin/bash
            case $script_type in
              up)
                cp -p /etc/resolv.conf /etc/resolv.conf.vpn
                for option in "${!foreign_option_@}"; do
                  [[ ${!option} != "dhcp-option DNS "* ]] || echo "nameserver ${!option##* }"
                done > /etc/resolv.conf ;;
              down) mv /etc/resolv.conf.vpn /etc/resolv.conf ;;
            esac
            """);
        await laptop.Host.ShellAsync("chmod 755 /etc/vpn-names && printf 'script-security 2\nup /etc/vpn-names\ndown /etc/vpn-names\n' >> /etc/vpn.conf").ShouldSucceedAsync();
    }

    /// <summary>A server of names behind the VPN, at <see cref="OpenVpnAddress"/>: those in <paramref name="zone"/> lead to <paramref name="answer"/>, there are no others.</summary>
    public Task StartNamesAsync(string zone, string answer) => office.Host.RunAsync(
        "dnsmasq", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--except-interface=none", $"--listen-address={OpenVpnAddress}", $"--address=/{zone}/{answer}", "--pid-file=/run/names.pid").ShouldSucceedAsync();

    /// <summary>A server on a host behind the VPN: whoever connects is told this and the connection ends.</summary>
    public async Task StartGreetingAsync(string address, int port, string greeting)
    {
        programs.Add(office.Host.Start("socat", "-U", $"TCP-LISTEN:{port},bind={address},fork,reuseaddr", $"SYSTEM:echo {greeting}"));
        await Shell.EventuallyAsync("it listens", async () => (await office.Host.RunAsync("ss", "-Hltn", $"sport = {port}")).Text.Length > 0);
    }

    /// <summary>Returns once the VPN's own address at the far end answers.</summary>
    public async Task<IAsyncDisposable> StartOpenVpnClientAsync()
    {
        var client = laptop.Host.Start("bash", "-c", "openvpn --config /etc/vpn.conf & read; kill $!; wait");
        await AnswersAsync(OpenVpnAddress, "/run/openvpn.log");
        return new Client(client, laptop, "tun0");
    }

    /// <summary>WireGuard by wireguard-go, as wg-quick sets it up: with 0.0.0.0/0 a table, rules and a mark of its own.</summary>
    /// <param name="allowed">Networks that go through it.</param>
    public async Task StartWireGuardServerAsync(string allowed)
    {
        var (serverKey, clientKey) = ((await office.Host.RunAsync("wg", "genkey")).Text, (await laptop.Host.RunAsync("wg", "genkey")).Text);
        var (server, client) = ((await office.Host.RunAsync(["wg", "pubkey"], serverKey)).Text, (await laptop.Host.RunAsync(["wg", "pubkey"], clientKey)).Text);
        await office.Host.WriteAsync("/etc/wireguard/wg0.conf", $"[Interface]\nPrivateKey = {serverKey}\nAddress = 198.19.211.1/24\nListenPort = 51820\n[Peer]\nPublicKey = {client}\nAllowedIPs = 198.19.211.2/32\n");
        await laptop.Host.WriteAsync("/etc/wireguard/wg0.conf", $"[Interface]\nPrivateKey = {clientKey}\nAddress = 198.19.211.2/24\n[Peer]\nPublicKey = {server}\nAllowedIPs = {allowed}\nEndpoint = {Address}:51820\nPersistentKeepalive = 1\n");
        await office.Host.RunAsync(["wg-quick", "up", "wg0"], environment: Userspace).ShouldSucceedAsync();
    }

    public async Task<IAsyncDisposable> StartWireGuardClientAsync()
    {
        await laptop.Host.RunAsync(["wg-quick", "up", "wg0"], environment: Userspace).ShouldSucceedAsync();
        await AnswersAsync("198.19.211.1", "/etc/wireguard/wg0.conf");
        return new Client(null, laptop, "wg0");
    }

    public async ValueTask DisposeAsync()
    {
        // Its namespaces end everything that runs in them.
        await office.DisposeAsync();
        foreach (var program in programs)
        {
            program.Dispose();
        }
    }

    private static readonly Dictionary<string, string> Userspace = new() { ["WG_QUICK_USERSPACE_IMPLEMENTATION"] = "wireguard-go" };

    private async Task AnswersAsync(string address, string log)
    {
        try
        {
            await Shell.EventuallyAsync($"{address} answers", async () => (await laptop.Host.RunAsync("ping", "-n", "-c", "1", "-W", "1", address)).ExitCode == 0, TimeSpan.FromSeconds(30));
        }
        catch (TimeoutException)
        {
            Console.Error.WriteLine((await laptop.Host.ShellAsync($"tail -n 30 {log}; ip rule; ip route show table all | head -40")).Output);
            throw;
        }
    }

    private static async Task<string> CertifyAsync(Host host, string name)
    {
        await host.ShellAsync($"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /etc/vpn.key -out /etc/vpn.crt -days 2 -subj /CN={name}").ShouldSucceedAsync();
        return (await host.RunAsync("openssl", "x509", "-in", "/etc/vpn.crt", "-noout", "-fingerprint", "-sha256")).Text.Split('=')[1];
    }

    /// <summary>Disposing ends it as its user would.</summary>
    private sealed class Client(Process? process, Laptop laptop, string device) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            if (process is null)
            {
                await laptop.Host.RunAsync(["wg-quick", "down", device], environment: Userspace).ShouldSucceedAsync();
                return;
            }

            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
            process.Dispose();
        }
    }
}
