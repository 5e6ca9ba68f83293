using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Run;

/// <summary>
/// Another cluster with the shop in it, on a machine at the far end of a cable of one laptop. Its node has the address that the embedded cluster's node always has,
/// so that its gateway's endpoints are its machine's.
/// </summary>
internal sealed class SecondCluster : IAsyncDisposable
{
    public const string Space = "staging";

    private const string Kubeconfig = "/var/lib/fairlead-sandbox/kubeconfig";
    private readonly Host host;

    private SecondCluster(Host host) => this.host = host;

    public static async Task<SecondCluster> CreateAsync(Laptop laptop, int cable)
    {
        var cluster = new SecondCluster(await Host.CreateAsync("second"));
        try
        {
            await laptop.Host.ConnectAsync(cluster.host, cable);
            var address = Host.CableAddress(cable, 2);
            (await cluster.FairleadAsync("sandbox", "up", "--with", "shop")).ShouldSucceed();
            (await cluster.host.RunAsync("nft", $$"""
                add table ip way
                add chain ip way in { type nat hook prerouting priority dstnat; }
                add rule ip way in ip daddr {{address}} tcp dport { 30443, 30444 } dnat to 198.18.0.2
                add chain ip way out { type nat hook postrouting priority srcnat; }
                add rule ip way out ip saddr {{Host.CableAddress(cable, 1)}} masquerade
                """)).ShouldSucceed();
            (await cluster.FairleadAsync("gateway", "install", "--kubeconfig", Kubeconfig, "--set", $"spaceName={Space},replicas=1,endpoints={{{address}:30443:30444}}")).ShouldSucceed();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task<string> InviteAsync(string user) =>
        System.Text.Json.JsonDocument.Parse((await FairleadAsync("space", "invite", user, "--namespaces", "shop", "--kubeconfig", Kubeconfig, "-o", "json")).Text).RootElement.GetProperty("token").GetString()!;

    public async Task<string> KubectlAsync(params string[] arguments) => (await host.RunAsync(["kubectl", "--kubeconfig", Kubeconfig, .. arguments])).Text;

    public async ValueTask DisposeAsync()
    {
        await FairleadAsync("sandbox", "down");
        await host.DisposeAsync();
    }

    private Task<Outcome> FairleadAsync(params string[] arguments) => host.RunAsync([Programs.Fairlead, .. arguments], limit: TimeSpan.FromSeconds(120));
}
