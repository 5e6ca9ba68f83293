using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;
using Fairlead.Platform.Routes;

namespace Fairlead.Tests.Daemon.Plan;

public sealed class PlannerTests
{
    private static readonly Laptop Plain = new();

    private static Laptop WithVpn => new Laptop().Route("10.0.0.0/8", "tun0", "10.0.0.1");

    [Fact]
    public void Subnets_without_conflict_are_routed_as_they_are()
    {
        var plan = Planner.Plan(Laptop.Inputs(Plain.Network));
        plan.Refusal.ShouldBeNull();
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.0.0/16", "10.132.0.0/16"));
        plan.Exceptions.ShouldBeEmpty();
        plan.Translated.ShouldBeEmpty();
        plan.Entries.Select(entry => (entry.Prefix, entry.Action, entry.Owner, entry.Reason)).ShouldBe([
            ("10.130.0.0/16", PlanAction.Routed, "fairlead0", "services of the cluster"),
            ("10.132.0.0/16", PlanAction.Routed, "fairlead0", "pods of the cluster"),
        ]);
    }

    [Fact]
    public void Textbook_example_wins_with_what_is_allowed_and_leaves_the_rest_to_the_vpn()
    {
        var host = WithVpn.Network;
        var plan = Planner.Plan(Laptop.Inputs(host, wishes: PlanWishes.None with { AutoResolve = false, Allowed = Laptop.Set("10.128.0.0/9") }));
        plan.Refusal.ShouldBeNull();
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.0.0/16", "10.132.0.0/16"));
        plan.Translated.ShouldBeEmpty();
        plan.Entries.ShouldAllBe(entry => entry.Action == PlanAction.Routed && entry.Conflict == "10.0.0.0/8 via 10.0.0.1 dev tun0");
        plan.Entries[0].Reason.ShouldBe("services of the cluster; allowed to win over 10.0.0.0/8 via 10.0.0.1 dev tun0");
        var view = new HostRoutingView(host, 0);
        view.DescribeWay(Prefix.Parse("10.0.0.0/9")).ShouldBe("10.0.0.0/8 via 10.0.0.1 dev tun0");
        PrefixSet.Of(plan.Prefixes).Overlaps(Prefix.Parse("10.0.0.0/9")).ShouldBeFalse();
    }

    [Fact]
    public void Textbook_example_without_leave_is_refused_and_names_route_and_ways_out()
    {
        var plan = Planner.Plan(Laptop.Inputs(WithVpn.Network, services: ["10.43.0.0/16"], pods: [], wishes: PlanWishes.None with { AutoResolve = false }));
        plan.Prefixes.ShouldBeEmpty();
        var refusal = plan.Refusal.ShouldNotBeNull();
        refusal.Category.ShouldBe(ErrorCategory.Conflict);
        refusal.Message.ShouldBe("subnet 10.43.0.0/16 overlaps with existing route \"10.0.0.0/8 via 10.0.0.1 dev tun0\"");
        refusal.Hint!.Split('\n').Skip(1).Select(line => line.Split('#')[0].Trim()).ShouldBe([
            "fairlead connect --vnat 10.43.0.0/16", "fairlead connect --proxy-via 10.43.0.0/16=WORKLOAD", "fairlead connect --allow-conflicting-subnets 10.43.0.0/16"]);
    }

    [Fact]
    public void Conflicts_first_second_and_third_get_blocks_of_their_own_size()
    {
        var plan = Planner.Plan(Laptop.Inputs(WithVpn.Network, services: ["10.96.0.0/12"], pods: ["10.132.0.0/16", "10.140.0.0/24"]));
        plan.Refusal.ShouldBeNull();
        plan.Translated.Select(subnet => $"{subnet.Real} {subnet.Local}").ShouldBe(["10.96.0.0/12 246.0.0.0/12", "10.132.0.0/16 246.246.0.0/16", "10.140.0.0/24 246.247.0.0/24"], ignoreOrder: false);
    }

    [Fact]
    public void Virtual_subnet_maps_address_by_address()
    {
        var plan = Planner.Plan(Laptop.Inputs(WithVpn.Network, services: ["10.96.0.0/16"], pods: []));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("246.246.0.0/16"));
        var translation = new AddressTranslation(plan.Translated);
        translation.ToLocal(IPAddress.Parse("10.96.3.7")).ShouldBe(IPAddress.Parse("246.246.3.7"));
        translation.ToReal(IPAddress.Parse("246.246.3.7")).ShouldBe(IPAddress.Parse("10.96.3.7"));
        translation.ToLocal(IPAddress.Parse("10.97.0.1")).ShouldBe(IPAddress.Parse("10.97.0.1"));
    }

    [Theory]
    [InlineData("0.0.0.0/0")]
    [InlineData("0.0.0.0/1")]
    [InlineData("128.0.0.0/1")]
    public void Default_route_and_half_defaults_of_a_vpn_are_no_conflict(string destination) =>
        Planner.Plan(Laptop.Inputs(new Laptop().Route(destination, "tun0").Network)).Translated.ShouldBeEmpty();

    [Theory]
    [InlineData("10.130.0.0/16", "identical")]
    [InlineData("10.130.7.0/24", "more specific")]
    [InlineData("10.130.9.9/32", "a single address")]
    [InlineData("10.0.0.0/8", "wider")]
    public void Route_of_another_device_conflicts(string destination, string what)
    {
        var plan = Planner.Plan(Laptop.Inputs(new Laptop().Route(destination, "wg0").Network));
        plan.Translated.Select(subnet => subnet.Real.ToString()).ShouldContain("10.130.0.0/16", what);
    }

    [Fact]
    public void Route_in_a_table_that_no_rule_reaches_is_no_conflict()
    {
        var host = new Laptop().Route("10.130.0.0/16", "wg0", table: 52);
        Planner.Plan(Laptop.Inputs(host.Network)).Translated.ShouldBeEmpty();
        host.Add(Laptop.Rule(AddressFamily.InterNetwork, 5270, 52));
        Planner.Plan(Laptop.Inputs(host.Network)).Translated.Count.ShouldBe(1);
    }

    [Fact]
    public void Route_that_only_marked_traffic_reaches_is_no_conflict()
    {
        var host = new Laptop().Route("10.130.0.0/16", "wg0", table: 52).Add(Laptop.Rule(AddressFamily.InterNetwork, 5210, 52) with { Mark = 0x80000, Mask = 0xff0000 });
        Planner.Plan(Laptop.Inputs(host.Network)).Translated.ShouldBeEmpty();
    }

    [Fact]
    public void Default_route_behind_a_rule_for_one_destination_is_a_conflict_there()
    {
        var host = new Laptop().Route("0.0.0.0/0", "tun0", table: 100).Add(Laptop.Rule(AddressFamily.InterNetwork, 1000, 100) with { Destination = IPNetwork.Parse("10.130.0.0/17") });
        var plan = Planner.Plan(Laptop.Inputs(host.Network));
        plan.Translated.Select(subnet => subnet.Real.ToString()).ShouldBe(["10.130.0.0/16"]);
    }

    [Fact]
    public void Suppressed_routes_are_no_conflict()
    {
        // As wg-quick does: main without its short prefixes comes before the table of the VPN.
        var host = new Laptop().Route("10.128.0.0/9", "tun0", table: 60).Add(Laptop.Rule(AddressFamily.InterNetwork, 100, 60) with { SuppressedLength = 9 });
        Planner.Plan(Laptop.Inputs(host.Network)).Translated.ShouldBeEmpty();
    }

    [Fact]
    public void Blackhole_is_a_conflict_without_device()
    {
        var plan = Planner.Plan(Laptop.Inputs(new Laptop().Route("10.128.0.0/9", "", type: HostRouteType.Blackhole).Network));
        plan.Entries.ShouldAllBe(entry => entry.Conflict == "blackhole 10.128.0.0/9");
    }

    [Fact]
    public void Rules_come_before_the_rule_that_leads_elsewhere()
    {
        var host = new Laptop().Route("10.130.0.0/16", "wg0", table: 52).Add(Laptop.Rule(AddressFamily.InterNetwork, 300, 52));
        Planner.Plan(Laptop.Inputs(host.Network)).Priority.ShouldBe(299u);
        Planner.Plan(Laptop.Inputs(host.Network)).Priority6.ShouldBe(HostRoutingView.DefaultPriority);
        Planner.Plan(Laptop.Inputs(Plain.Network)).Priority.ShouldBe(HostRoutingView.DefaultPriority);
    }

    [Fact]
    public void Rules_come_before_those_of_a_vpn_that_took_the_place_before_ours()
    {
        // wg-quick gives its rules no priority, and the kernel puts them before the first rule that is there.
        var host = new Laptop().Route("0.0.0.0/0", "wg0", table: 51820)
            .Add(Laptop.Rule(AddressFamily.InterNetwork, 4998, Laptop.Main) with { SuppressedLength = 0 })
            .Add(Laptop.Rule(AddressFamily.InterNetwork, 4999, 51820) with { Mark = 51820, Mask = uint.MaxValue, Inverted = true });
        var plan = Planner.Plan(Laptop.Inputs(host.Network));
        plan.Translated.ShouldBeEmpty();
        plan.Priority.ShouldBe(4997u);
    }

    [Fact]
    public void Subnet_that_is_allowed_in_part_is_routed_in_part_and_virtual_for_the_rest()
    {
        var plan = Planner.Plan(Laptop.Inputs(WithVpn.Network, pods: [], wishes: PlanWishes.None with { Allowed = Laptop.Set("10.130.128.0/17") }));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.128.0/17", "246.246.0.0/17"));
        plan.Translated.Single().Real.ToString().ShouldBe("10.130.0.0/17");
    }

    [Fact]
    public void Part_that_is_allowed_frees_what_no_longer_conflicts()
    {
        var host = new Laptop().Route("10.130.7.0/24", "tun0");
        var plan = Planner.Plan(Laptop.Inputs(host.Network, pods: [], wishes: PlanWishes.None with { AutoResolve = false, Allowed = Laptop.Set("10.130.0.0/20") }));
        plan.Refusal.ShouldBeNull();
        PrefixSet.Of(plan.Prefixes).Covers(Prefix.Parse("10.130.0.0/16")).ShouldBeTrue();
    }

    [Fact]
    public void Carriers_keep_the_way_they_had()
    {
        var plan = Planner.Plan(Laptop.Inputs(Plain.Network, carriers: [new(IPAddress.Parse("10.130.0.9"), "the gateway"), new(IPAddress.Parse("198.51.100.1"), "the API server")]));
        plan.Exceptions.ShouldBe(Laptop.Prefixes("10.130.0.9/32"));
        plan.Entries.Single(entry => entry.Action == PlanAction.Never).ShouldBe(new PlanEntry("10.130.0.9/32", PlanAction.Never, "default via 192.168.1.1 dev wlan0", null, null, "never proxied: the gateway", null));
    }

    [Fact]
    public void Conflict_within_what_is_never_proxied_is_none()
    {
        var host = new Laptop().Route("10.130.7.0/24", "tun0");
        var plan = Planner.Plan(Laptop.Inputs(host.Network, wishes: PlanWishes.None with { Never = [new(Prefix.Parse("10.130.0.0/20"), "--never-proxy")] }));
        plan.Translated.ShouldBeEmpty();
        plan.Exceptions.ShouldBe(Laptop.Prefixes("10.130.0.0/20"));
    }

    [Fact]
    public void Subnet_that_is_never_proxied_as_a_whole_is_left_alone()
    {
        var plan = Planner.Plan(Laptop.Inputs(Plain.Network, wishes: PlanWishes.None with { Never = [new(Prefix.Parse("10.132.0.0/16"), "--never-proxy")] }));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.0.0/16"));
        plan.Entries.Count(entry => entry.Action == PlanAction.Never).ShouldBe(1);
    }

    [Fact]
    public void Wish_for_an_exit_reaches_addresses_that_only_a_pod_has()
    {
        var plan = Planner.Plan(Laptop.Inputs(Plain.Network, wishes: PlanWishes.None with { Virtual = [new(Prefix.Parse("127.0.0.1/32"), "shop/deployment/echo", "--proxy-via")] }));
        plan.Translated.Single().Local.ToString().ShouldBe("246.246.0.0/32");
        plan.ExitOf(IPAddress.Loopback).ShouldBe("shop/deployment/echo");
        plan.ExitOf(IPAddress.Parse("10.130.0.1")).ShouldBeNull();
    }

    [Fact]
    public void Wish_within_a_subnet_leaves_the_rest_of_it_as_it_is()
    {
        var plan = Planner.Plan(Laptop.Inputs(Plain.Network, wishes: PlanWishes.None with { Virtual = [new(Prefix.Parse("10.130.5.0/24"), null, "--vnat")] }));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.0.0/16", "10.132.0.0/16", "246.246.0.0/24"));
        new AddressTranslation(plan.Translated).ToLocal(IPAddress.Parse("10.130.5.9")).ShouldBe(IPAddress.Parse("246.246.0.9"));
    }

    [Fact]
    public void Virtual_subnet_that_was_chosen_and_conflicts_is_refused_and_the_default_moves()
    {
        var host = WithVpn.Route("246.246.0.0/15", "tun1");
        var chosen = Planner.Plan(Laptop.Inputs(host.Network, wishes: PlanWishes.None with { VirtualSubnet = Prefix.Parse("246.246.0.0/16") }));
        chosen.Refusal!.Code.ShouldBe("virtual-subnet-conflict");
        chosen.Refusal.Message.ShouldBe("virtual subnet 246.246.0.0/16 overlaps with \"246.246.0.0/15 dev tun1\"");
        Planner.Plan(Laptop.Inputs(host.Network)).Translated[0].Local.ToString().ShouldBe("246.248.0.0/16");
    }

    [Fact]
    public void Virtual_subnet_that_is_too_small_stands_for_single_addresses()
    {
        var plan = Planner.Plan(Laptop.Inputs(WithVpn.Network, wishes: PlanWishes.None with { VirtualSubnet = Prefix.Parse("192.0.2.0/24") }));
        plan.Refusal.ShouldBeNull();
        plan.Table.ShouldBe(Prefix.Parse("192.0.2.0/24"));
        plan.Tabled.ShouldBe(Laptop.Prefixes("10.130.0.0/16", "10.132.0.0/16"));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("192.0.2.0/24"));
    }

    [Fact]
    public void Virtual_subnets_of_an_earlier_plan_stay()
    {
        var first = Planner.Plan(Laptop.Inputs(new Laptop().Route("10.132.0.0/16", "tun0").Network));
        first.Translated.Single().Local.ToString().ShouldBe("246.246.0.0/16");
        var second = Planner.Plan(Laptop.Inputs(WithVpn.Network, known: first.Translated));
        second.Translated.Select(subnet => $"{subnet.Real} {subnet.Local}").ShouldBe(["10.130.0.0/16 246.247.0.0/16", "10.132.0.0/16 246.246.0.0/16"]);
    }

    [Fact]
    public void IPv6_is_left_out_where_the_host_has_none()
    {
        var plan = Planner.Plan(Laptop.Inputs(new Laptop().WithoutIPv6().Network, services: ["10.130.0.0/16", "fd00:10::/108"], pods: []));
        plan.Prefixes.ShouldBe(Laptop.Prefixes("10.130.0.0/16"));
        plan.Entries.Single(entry => entry.Action == PlanAction.LeftOut).Prefix.ShouldBe("fd00:10::/108");
    }

    [Fact]
    public void IPv6_conflict_gets_unique_local_addresses()
    {
        var plan = Planner.Plan(Laptop.Inputs(new Laptop().Route("fd00::/16", "wg0").Network, services: ["fd00:10::/108"], pods: ["fd00:20::/48"]));
        plan.Translated.Select(subnet => subnet.Local.ToString()).ShouldBe(["fd46:6169:7200::/108", "fd46:6169:7201::/48"]);
    }

    [Fact]
    public void OpenVpn_full_tunnel_of_IPv6_is_no_conflict_but_fc00_alone_is()
    {
        var cluster = new[] { "fd00:10::/108" };
        Planner.Plan(Laptop.Inputs(new Laptop().Route("::/3", "tun0").Route("2000::/4", "tun0").Route("3000::/4", "tun0").Route("fc00::/7", "tun0").Network, services: cluster, pods: [])).Translated.ShouldBeEmpty();
        Planner.Plan(Laptop.Inputs(new Laptop().Route("fc00::/7", "tun0").Network, services: cluster, pods: [])).Translated.Count.ShouldBe(1);
    }

    [Fact]
    public void Own_device_conflicts_with_nothing()
    {
        var host = new Laptop().Route("10.130.0.0/16", "fairlead0").Network;
        var inputs = Laptop.Inputs(host) with { Device = host.Links.Single(link => link.Name == "fairlead0").Index };
        Planner.Plan(inputs).Translated.ShouldBeEmpty();
    }
}
