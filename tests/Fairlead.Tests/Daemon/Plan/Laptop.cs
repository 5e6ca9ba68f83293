using System.Net;
using System.Net.Sockets;
using Fairlead.Daemon.Plan;
using Fairlead.Platform.Routes;

namespace Fairlead.Tests.Daemon.Plan;

/// <summary>A host's routing, written as <c>ip route</c> and <c>ip rule</c> would be told.</summary>
internal sealed class Laptop
{
    public const uint Main = 254;

    private readonly List<HostRoute> routes = [];
    private readonly List<HostRule> rules = [];
    private readonly List<HostLink> links = [new(1, "lo", "", true), new(2, "wlan0", "", true)];
    private readonly List<HostAddress> addresses = [new(1, IPAddress.Loopback, 8), new(1, IPAddress.IPv6Loopback, 128)];

    public Laptop()
    {
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            rules.Add(Rule(family, 0, 255));
            rules.Add(Rule(family, 32766, Main));
            rules.Add(Rule(family, 32767, 253));
        }

        Route("0.0.0.0/0", "wlan0", "192.168.1.1").Route("192.168.1.0/24", "wlan0");
    }

    public static HostRule Rule(AddressFamily family, uint priority, uint table) => new(family, priority, HostRuleAction.Table, table, null, 0, 0, false, null, false);

    public Laptop Route(string destination, string device, string? gateway = null, uint table = Main, HostRouteType type = HostRouteType.Unicast)
    {
        var link = links.Find(known => known.Name == device);
        if (link is null && device.Length > 0)
        {
            links.Add(link = new HostLink(links.Count + 1, device, "tun", true));
        }

        routes.Add(new HostRoute(IPNetwork.Parse(destination), table, type, link?.Index ?? 0, gateway is null ? null : IPAddress.Parse(gateway), 0));
        return this;
    }

    public Laptop Add(HostRule rule)
    {
        rules.Add(rule);
        return this;
    }

    public Laptop WithoutIPv6()
    {
        addresses.RemoveAll(address => address.Address.AddressFamily == AddressFamily.InterNetworkV6);
        return this;
    }

    public HostNetwork Network => new([.. routes], [.. rules.OrderBy(rule => rule.Priority)], [.. links], [.. addresses]);

    public static PlanInputs Inputs(HostNetwork host, string[]? services = null, string[]? pods = null, PlanWishes? wishes = null, IReadOnlyList<CarrierAddress>? carriers = null, IReadOnlyList<TranslatedSubnet>? known = null) =>
        new(new ClusterSubnets(Prefixes(services ?? ["10.130.0.0/16"]), Prefixes(pods ?? ["10.132.0.0/16"])), host, 0, "fairlead0", wishes ?? PlanWishes.None, carriers ?? [], [], known ?? []);

    public static Prefix[] Prefixes(params string[] texts) => [.. texts.Select(Prefix.Parse)];

    public static PrefixSet Set(params string[] texts) => PrefixSet.Of(Prefixes(texts));
}
