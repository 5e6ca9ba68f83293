using System.Diagnostics;
using System.Globalization;
using Fairlead.Testbed;

namespace Fairlead.Bench.Scenarios;

/// <summary>
/// OpenVPN (AES-256-GCM) and wireguard-go between the laptop and a pod, like the gateway's. The pod's kernel leads what comes for its own address at the
/// end of the tunnel on to the pod that is measured, so no route of theirs touches the cluster's subnets.
/// </summary>
internal sealed class VpnPeers : IAsyncDisposable
{
    private const string Pod = """
        apiVersion: v1
        kind: Service
        metadata: { name: vpn, namespace: bench }
        spec:
          type: NodePort
          selector: { app: vpn }
          ports:
            - { name: openvpn, port: 1194, nodePort: 31194, protocol: UDP }
            - { name: wireguard, port: 51820, nodePort: 31820, protocol: UDP }
        ---
        apiVersion: v1
        kind: Pod
        metadata: { name: vpn, namespace: bench, labels: { app: vpn } }
        spec: { containers: [ { name: vpn, image: host, command: [sleep, "19951009"] } ] }

        """;

    private readonly Bed bed;
    private readonly List<Process> programs = [];
    private readonly int pod;

    private VpnPeers(Bed bed, int pod) => (this.bed, this.pod) = (bed, pod);

    public static Way OpenVpn { get; } = new("OpenVPN", "10.8.0.1", 80, 81, 5201, 7);

    public static Way WireGuard { get; } = new("wireguard-go", "10.9.0.1", 80, 81, 5201, 7);

    public static async Task<VpnPeers> StartAsync(Bed bed)
    {
        var to = (await bed.Cluster.KubectlAsync("get", "pods", "-n", "bench", "-l", "app=bench", "-o", "jsonpath={.items[0].status.podIP}")).Text;
        await bed.Cluster.ApplyAsync(Pod);
        (await bed.Cluster.KubectlAsync("wait", "-n", "bench", "pod/vpn", "--for=condition=Ready", "--timeout=60s")).ShouldSucceed();
        var peers = new VpnPeers(bed, Bed.PidOf(bed.Cluster.Host, "sleep 19951009"));
        await peers.InPodAsync($$"""
            set -e
            sysctl -qw net.ipv4.ip_forward=1
            nft -f - <<END
            table ip vpn {
              chain in { type nat hook prerouting priority dstnat; iifname { "tun0", "wg0" } dnat ip to tcp dport map { 80 : {{to}} . 8080, 81 : {{to}} . 8081, 5201 : {{to}} . 5201 }
                         iifname { "tun0", "wg0" } udp dport 7 dnat to {{to}}:7; }
              chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
            }
            END
            """);
        await peers.StartOpenVpnAsync();
        await peers.StartWireGuardAsync();
        foreach (var way in new[] { OpenVpn, WireGuard })
        {
            await Shell.EventuallyAsync($"{way.Name} answers", async () => (await bed.Laptop.CurlAsync($"http://{way.Host}:{way.Http}/", "--max-time", "1")).ExitCode == 0);
        }

        return peers;
    }

    public async Task<string> VersionsAsync() =>
        (await bed.Laptop.Host.ShellAsync("openvpn --version | head -n 1 | cut -d' ' -f1,2; wireguard-go --version | head -n 1")).Output.Trim().Replace("\n", "; ", StringComparison.Ordinal);

    public ValueTask DisposeAsync()
    {
        // They end with their hosts.
        programs.ForEach(program => program.Dispose());
        return ValueTask.CompletedTask;
    }

    private async Task StartOpenVpnAsync()
    {
        const string Common = "dev tun0\ndev-type tun\ndisable-dco\ntopology subnet\ncert /etc/vpn.crt\nkey /etc/vpn.key\ndata-ciphers AES-256-GCM\nverb 1\n";
        const string Certify = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /etc/vpn.key -out /etc/vpn.crt -days 2 -subj /CN=bench 2> /dev/null && openssl x509 -in /etc/vpn.crt -noout -fingerprint -sha256 | cut -d= -f2";
        var (server, client) = ((await bed.Cluster.Host.ShellAsync(Certify)).Text, (await bed.Laptop.Host.ShellAsync(Certify)).Text);
        await bed.Cluster.Host.WriteAsync("/etc/vpn.conf", Common + $"server 10.8.0.0 255.255.255.0\ndh none\npeer-fingerprint {client}\nlog /run/openvpn.log\n");
        await bed.Laptop.Host.WriteAsync("/etc/vpn.conf", Common + $"client\nremote {Bed.Direct.Host} 31194 udp\nnobind\nconnect-retry 1\npeer-fingerprint {server}\nlog /run/openvpn.log\n");
        programs.Add(Shell.Start(InPod("openvpn", "--config", "/etc/vpn.conf")));
        programs.Add(bed.Laptop.Host.Start("openvpn", "--config", "/etc/vpn.conf"));
    }

    private async Task StartWireGuardAsync()
    {
        var (serverKey, clientKey) = ((await bed.Laptop.Host.RunAsync("wg", "genkey")).Text, (await bed.Laptop.Host.RunAsync("wg", "genkey")).Text);
        var (server, client) = ((await bed.Laptop.Host.RunAsync(["wg", "pubkey"], serverKey)).Text, (await bed.Laptop.Host.RunAsync(["wg", "pubkey"], clientKey)).Text);
        await bed.Cluster.Host.WriteAsync("/etc/wireguard/wg0.conf", $"[Interface]\nPrivateKey = {serverKey}\nAddress = 10.9.0.1/24\nListenPort = 51820\n[Peer]\nPublicKey = {client}\nAllowedIPs = 10.9.0.2/32\n");
        await bed.Laptop.Host.WriteAsync("/etc/wireguard/wg0.conf", $"[Interface]\nPrivateKey = {clientKey}\nAddress = 10.9.0.2/24\n[Peer]\nPublicKey = {server}\nAllowedIPs = 10.9.0.0/24\nEndpoint = {Bed.Direct.Host}:31820\n");
        const string Up = "WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go wg-quick up wg0";
        await InPodAsync(Up);
        (await bed.Laptop.Host.ShellAsync(Up)).ShouldSucceed();
    }

    private async Task InPodAsync(string script) => (await Shell.RunAsync(InPod("bash", "-c", script))).ShouldSucceed();

    /// <summary>The cluster's host with the pod's network: that way a tunnel takes neither a device nor a capability of the pod's.</summary>
    private List<string> InPod(params string[] command) =>
    [
        "nsenter", "--target", bed.Cluster.Host.Pid.ToString(CultureInfo.InvariantCulture), "--mount", "--uts", "--pid", $"--net=/proc/{pod}/ns/net", "--wd=/", "--", .. command,
    ];
}
