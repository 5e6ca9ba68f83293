using System.Net;
using Fairlead.Platform;
using Fairlead.Platform.Routes;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>Routing of a real kernel, in a network namespace. Needs root.</summary>
public sealed class RouteTests : IDisposable
{
    private static readonly IPNetwork Services = IPNetwork.Parse("10.130.0.0/16");
    private static readonly IPNetwork Services6 = IPNetwork.Parse("fd00:130::/108");
    private readonly LoopbackNamespace ns = new();

    public RouteTests()
    {
        foreach (var device in new[] { "ours", "vpn" })
        {
            ns.Run("ip", "link", "add", device, "type", "veth", "peer", "name", device + "-end");
            ns.Run("ip", "link", "set", device, "up");
            ns.Run("ip", "link", "set", device + "-end", "up");
        }

        ns.Run("ip", "addr", "add", "10.8.0.2/24", "dev", "vpn");
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => ns.Dispose();

    [Fact]
    public async Task Host_is_read_as_ip_tells_it()
    {
        ns.Run("ip", "route", "add", "10.0.0.0/8", "via", "10.8.0.1", "dev", "vpn", "metric", "50");
        ns.Run("ip", "route", "add", "default", "dev", "vpn", "table", "51820");
        ns.Run("ip", "rule", "add", "not", "fwmark", "51820", "table", "51820", "priority", "100");
        ns.Run("ip", "rule", "add", "table", "main", "suppress_prefixlength", "0", "priority", "99");
        ns.Run("ip", "route", "add", "blackhole", "192.0.2.0/24");
        await using var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        var host = await routes.ReadAsync(Cancel);
        var vpn = host.Links.Single(link => link.Name == "vpn");
        (vpn.Kind, vpn.IsUp).ShouldBe(("veth", true));
        host.Routes.ShouldContain(new HostRoute(IPNetwork.Parse("10.0.0.0/8"), 254, HostRouteType.Unicast, vpn.Index, IPAddress.Parse("10.8.0.1"), 50));
        host.Routes.ShouldContain(new HostRoute(IPNetwork.Parse("0.0.0.0/0"), 51820, HostRouteType.Unicast, vpn.Index, null, 0));
        host.Routes.ShouldContain(route => route.Type == HostRouteType.Blackhole && route.Destination == IPNetwork.Parse("192.0.2.0/24"));
        host.Rules.ShouldContain(rule => rule.Priority == 100 && rule.Table == 51820 && rule.Inverted && rule.Mark == 51820 && rule.TakesUnmarked);
        host.Rules.ShouldContain(rule => rule.Priority == 99 && rule.Table == 254 && rule.SuppressedLength == 0);
        host.Addresses.ShouldContain(new HostAddress(vpn.Index, IPAddress.Parse("10.8.0.2"), 24));
        host.HasIPv6.ShouldBeTrue();
    }

    [Fact]
    public async Task What_is_applied_wins_over_the_route_of_another_device_and_is_gone_afterwards()
    {
        ns.Run("ip", "route", "add", "10.130.7.0/24", "dev", "vpn");
        var before = Snapshot();
        await using (var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal)))
        {
            var set = Set("ours");
            (await routes.ApplyAsync(set, Cancel)).Count.ShouldBe(5);
            WayTo("10.130.7.9").ShouldContain("dev ours");
            WayTo("10.130.0.53").ShouldNotContain("dev ours");
            WayTo("fd00:130::7").ShouldContain("dev ours");
            (await routes.ApplyAsync(set, Cancel)).ShouldBeEmpty("it is as it should be");
            (await routes.ReadAsync(Cancel)).Rules.ShouldNotContain(rule => rule.Priority == 5000, "ours are left out");
            ns.Journal.Pending.Select(change => change.Kind).ShouldBe(["routes"]);
        }

        Snapshot().ShouldBe(before);
        ns.Journal.Pending.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_somebody_takes_away_comes_back()
    {
        await using var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        await routes.ApplyAsync(Set("ours"), Cancel);
        ns.Run("ip", "route", "flush", "table", "64030");
        ns.Run("ip", "rule", "del", "to", "10.130.0.0/16");
        WayTo("10.130.7.9").ShouldNotContain("dev ours");
        (await routes.ApplyAsync(Set("ours"), Cancel)).Count.ShouldBe(3);
        WayTo("10.130.7.9").ShouldContain("dev ours");
    }

    [Fact]
    public async Task Refused_change_leaves_everything_as_it_was()
    {
        await using var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        await routes.ApplyAsync(Set("ours"), Cancel);
        var before = Snapshot();
        await Should.ThrowAsync<HostException>(() => routes.ApplyAsync(new RouteSet(999, [IPNetwork.Parse("10.140.0.0/16")], [IPNetwork.Parse("10.140.1.0/24")], 5000, 5000), Cancel));
        Snapshot().ShouldBe(before);
    }

    [Fact]
    public async Task What_a_killed_process_left_is_undone_by_its_mark_alone()
    {
        var before = Snapshot();
        var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        await routes.ApplyAsync(Set("ours"), Cancel);
        ns.Run("ip", "route", "add", "203.0.113.0/24", "dev", "vpn", "table", "64030");
        var left = ns.Journal.Pending.Single();
        (await Task.Run(() => ns.Inside(() => ns.Host.TryUndoAsync(left, Cancel)), Cancel)).ShouldBeTrue();
        Snapshot().ShouldBe(before);
        ns.Run("ip", "route", "show", "table", "64030").ShouldContain("203.0.113.0/24", customMessage: "it is not ours");
        await routes.DisposeAsync();
    }

    [Fact]
    public async Task Table_that_somebody_else_uses_is_left_to_them()
    {
        ns.Run("ip", "route", "add", "203.0.113.0/24", "dev", "vpn", "table", "64030");
        await using var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        await routes.ApplyAsync(Set("ours"), Cancel);
        ns.Journal.Pending.Single().Subject.ShouldBe("64031");
        WayTo("10.130.7.9").ShouldContain("dev ours");
    }

    [Fact]
    public async Task Changes_of_others_are_told_and_ours_are_not()
    {
        await using var routes = ns.Inside(() => ns.Host.OpenRoutes(ns.Journal));
        await routes.ReadAsync(Cancel);
        await routes.ApplyAsync(Set("ours"), Cancel);
        ns.Run("ip", "route", "add", "10.0.0.0/8", "dev", "vpn");
        await foreach (var change in routes.WatchAsync(Cancel))
        {
            change.Cause.ShouldBe("route 10.0.0.0/8 dev vpn came");
            break;
        }
    }

    private RouteSet Set(string device) => new(Index(device), [Services, Services6], [IPNetwork.Parse("10.130.0.53/32")], 5000, 5000);

    private int Index(string device) => int.Parse(ns.Run("ip", "-o", "link", "show", device).Split(':')[0]);

    private string WayTo(string address) => ns.Run("bash", "-c", $"ip route get {address} || true");

    private string Snapshot() => ns.Run("bash", "-c", "ip rule; ip -6 rule; ip route show table all | grep -v 203.0.113; ip -6 route show table all");
}
