using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>What tests of connect have in common: the embedded cluster's subnets are 10.96.0.0/16 (services) and 10.244.0.0/16 (pods).</summary>
public abstract class ConnectTest(SharedCluster cluster) : ClusterTest(cluster)
{
    protected const string Services = "10.96.0.0/16";
    protected const string Pods = "10.244.0.0/16";

    protected Task<Laptop> NewMemberOfKnownSubnetsAsync()
    {
        Need(ClusterFeature.Subnets);
        return NewMemberAsync();
    }

    protected async Task<string> ServiceAddressAsync(string name) =>
        (await Cluster.KubectlAsync("get", "service", "-n", "shop", name, "-o", "jsonpath={.spec.clusterIP}")).Text;

    protected async Task<string> PodAddressAsync(string app) =>
        (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", $"app.kubernetes.io/name={app}", "-o", "jsonpath={.items[0].status.podIP}")).Text;

    private protected static async Task<JsonElement> PlanAsync(Laptop laptop) => JsonDocument.Parse((await laptop.FairleadAsync("plan", "-o", "json")).Text).RootElement;

    /// <summary>Prefix, what is done with it, and as what it is reached.</summary>
    private protected static async Task<IReadOnlyList<string>> EntriesAsync(Laptop laptop) =>
        [.. (await PlanAsync(laptop)).GetProperty("entries").EnumerateArray().Select(entry =>
            $"{entry.GetProperty("prefix").GetString()} {entry.GetProperty("action").GetString()}{(entry.TryGetProperty("as", out var local) && local.GetString() is { } text ? " " + text : "")}")];

    private protected static Task ShouldPlanAsync(Laptop laptop, params string[] expected) =>
        Shell.EventuallyAsync($"the plan is {string.Join(", ", expected)}", async () => (await EntriesAsync(laptop)).SequenceEqual(expected), TimeSpan.FromSeconds(20));

    /// <summary>Everything that connect may change, octet by octet.</summary>
    private protected static async Task<string> SnapshotAsync(Laptop laptop) => (await laptop.Host.ShellAsync(
        "ip rule; ip -6 rule; ip route show table all | sort; ip -6 route show table all | grep -v ^multicast | sort; ip -o addr | sed 's/valid_lft.*//'; cat /etc/resolv.conf /etc/hosts; nft list ruleset")).Text;

    /// <summary>The address that stands for one, in a /16 with these two octets.</summary>
    private protected static string Virtual(string real, string block) => string.Join('.', [block, .. real.Split('.')[2..]]);

    private protected static async Task ShouldAnswerAsync(Laptop laptop, string url) => (await laptop.CurlAsync(url, "-o", "/dev/null")).ShouldSucceed();
}
