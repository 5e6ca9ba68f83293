using System.Net;
using System.Text.Json;
using Fairlead.EndToEnd.Tests.Harness;
using Fairlead.Testbed;

namespace Fairlead.EndToEnd.Tests.Connect;

/// <summary>What tests of connect have in common. The cluster's subnets are its own: a plan tells them.</summary>
public abstract class ConnectTest(SharedCluster cluster) : ClusterTest(cluster)
{
    private protected const string Routed = "Routed";
    private protected const string Virtual = "Virtual";
    private protected const string Refused = "Refused";

    /// <summary>The one with the shop's services.</summary>
    private protected Subnet Services { get; private set; } = null!;

    /// <summary>The one with the shop's front end.</summary>
    private protected Subnet Pods { get; private set; } = null!;

    /// <summary>The networks of the size that a company's VPN has, around services and pods: one or two.</summary>
    private protected string[] Around => [.. new[] { Services.Around(8), Pods.Around(8) }.Distinct()];

    /// <summary>A laptop that knows the cluster's subnets. The way to the gateway is a route of its own, as with a VPN that excludes it.</summary>
    private protected async Task<Laptop> NewTravellerAsync()
    {
        var laptop = await NewMemberAsync();
        foreach (var node in Cluster.NodeAddresses)
        {
            await laptop.Host.RunAsync("ip", "route", "add", node, "via", laptop.Gateway).ShouldSucceedAsync();
        }

        var (service, pod) = (await ServiceAddressAsync("frontend"), await PodAddressAsync("frontend"));
        await Shell.EventuallyAsync("the cluster's subnets are known", async () =>
        {
            var subnets = (await EntriesAsync(laptop)).Select(e => e.Prefix).Where(p => !p.Contains(':', StringComparison.Ordinal)).Select(p => new Subnet(IPNetwork.Parse(p))).ToList();
            (Services, Pods) = (subnets.Find(s => s.Has(service))!, subnets.Find(s => s.Has(pod))!);
            return Services is not null && Pods is not null;
        }, TimeSpan.FromSeconds(30));
        return laptop;
    }

    /// <summary>An address of the network around the services that is no cluster's.</summary>
    private protected string Outside(int index) => Enumerable.Range(20, 200).Select(second => $"{Services.Around(8).Split('.')[0]}.{second}.0.5")
        .Where(address => !Services.Has(address) && !Pods.Has(address) && !Cluster.NodeAddresses.Contains(address) && Cluster.ApiServer.Address != address).ElementAt(index);

    protected async Task<string> ServiceAddressAsync(string name) =>
        (await Cluster.KubectlAsync("get", "service", "-n", "shop", name, "-o", "jsonpath={.spec.clusterIP}")).Text;

    protected async Task<string> PodAddressAsync(string app) =>
        (await Cluster.KubectlAsync("get", "pods", "-n", "shop", "-l", $"app.kubernetes.io/name={app}", "-o", "jsonpath={.items[0].status.podIP}")).Text;

    private protected static async Task<JsonElement> PlanAsync(Laptop laptop) => JsonDocument.Parse((await laptop.FairleadAsync("plan", "-o", "json")).Text).RootElement;

    /// <summary>Prefix, what is done with it, and as what it is reached.</summary>
    private protected static async Task<IReadOnlyList<(string Prefix, string Action, string? As)>> EntriesAsync(Laptop laptop) =>
        [.. (await PlanAsync(laptop)).GetProperty("entries").EnumerateArray().Select(entry => (
            entry.GetProperty("prefix").GetString()!, entry.GetProperty("action").GetString()!, entry.TryGetProperty("as", out var local) ? local.GetString() : null))];

    /// <summary>What becomes of the services and the pods.</summary>
    private protected async Task<(string Services, string Pods)> PlannedAsync(Laptop laptop)
    {
        var entries = await EntriesAsync(laptop);
        return (entries.Single(e => e.Prefix == $"{Services}").Action, entries.Single(e => e.Prefix == $"{Pods}").Action);
    }

    private protected Task ShouldPlanAsync(Laptop laptop, string services, string pods) =>
        Shell.EventuallyAsync($"services are {services}, pods {pods}", async () => await PlannedAsync(laptop) == (services, pods), TimeSpan.FromSeconds(20));

    /// <summary>The address that stands for one in a subnet of the cluster, now.</summary>
    private protected async Task<string> VirtualAsync(Laptop laptop, Subnet subnet, string real)
    {
        var local = IPNetwork.Parse((await EntriesAsync(laptop)).Single(e => e.Prefix == $"{subnet}").As!);
        local.PrefixLength.ShouldBe(subnet.Network.PrefixLength);
        return subnet.Translate(real, local);
    }

    /// <summary>Everything that connect may change, octet by octet.</summary>
    private protected static async Task<string> SnapshotAsync(Laptop laptop) => (await laptop.Host.ShellAsync(
        "ip rule; ip -6 rule; ip route show table all | sort; ip -6 route show table all | grep -v ^multicast | sort; ip -o addr | sed 's/valid_lft.*//'; cat /etc/resolv.conf /etc/hosts; nft --stateless list ruleset")).Text;

    private protected static async Task ShouldAnswerAsync(Laptop laptop, string url) => (await laptop.CurlAsync(url, "-o", "/dev/null")).ShouldSucceed();

    /// <summary>By the addresses that stand for them.</summary>
    private protected async Task ShouldAnswerVirtuallyAsync(Laptop laptop, bool services = true, bool pods = true)
    {
        if (services)
        {
            await ShouldAnswerAsync(laptop, $"http://{await VirtualAsync(laptop, Services, await ServiceAddressAsync("frontend"))}/");
        }

        if (pods)
        {
            await ShouldAnswerAsync(laptop, $"http://{await VirtualAsync(laptop, Pods, await PodAddressAsync("frontend"))}:8080/");
        }
    }

    /// <summary>By their own addresses.</summary>
    private protected async Task ShouldAnswerAsync(Laptop laptop, bool services = true, bool pods = true)
    {
        if (services)
        {
            await ShouldAnswerAsync(laptop, $"http://{await ServiceAddressAsync("frontend")}/");
        }

        if (pods)
        {
            await ShouldAnswerAsync(laptop, $"http://{await PodAddressAsync("frontend")}:8080/");
        }
    }
}
