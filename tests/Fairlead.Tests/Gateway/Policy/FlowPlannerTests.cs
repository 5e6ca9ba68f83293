using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class FlowPlannerTests
{
    private static readonly Rights Shop = World.Grant("shop");

    private readonly World world = new();

    [Fact]
    public void Plan_cluster_address_of_granted_service_is_dialled()
    {
        world.Service("shop/frontend", "10.96.1.1", 80);
        world.Pod("shop/frontend-1", "10.244.0.5");
        world.Slice("shop/frontend", "frontend-x", 8080, ("10.244.0.5", "shop/frontend-1"));
        Plan(Shop, "frontend.shop.svc", 80).Dial.ShouldBe([IPEndPoint.Parse("10.96.1.1:80")]);
    }

    [Theory]
    [InlineData("frontend.shop.svc", 81, FlowFailure.NotFound)]
    [InlineData("missing.shop.svc", 80, FlowFailure.NotFound)]
    [InlineData("frontend.other.svc", 80, FlowFailure.Denied)]
    [InlineData("x.frontend.shop.svc", 80, FlowFailure.NotFound)]
    [InlineData("frontend.shop", 80, FlowFailure.ProtocolError)]
    [InlineData("FRONTEND.shop.svc", 80, FlowFailure.ProtocolError)]
    [InlineData("../secrets.shop.svc", 80, FlowFailure.ProtocolError)]
    [InlineData("", 80, FlowFailure.ProtocolError)]
    [InlineData("frontend.shop.svc", 0, FlowFailure.ProtocolError)]
    [InlineData("frontend.shop.svc", 65536, FlowFailure.ProtocolError)]
    public void Plan_target_that_is_not_to_be_had_is_refused(string host, int port, FlowFailure expected)
    {
        world.Service("shop/frontend", "10.96.1.1", 80);
        Refusal(Shop, host, port).ShouldBe(expected);
    }

    [Fact]
    public void Plan_udp_to_a_tcp_port_is_not_found()
    {
        world.Service("shop/frontend", "10.96.1.1", 80);
        world.Planner.Plan(Shop, new FlowTarget(TransportProtocol.Udp, "frontend.shop.svc", 80)).Refusal!.Failure.ShouldBe(FlowFailure.NotFound);
    }

    [Theory]
    [InlineData(false, null, null)]
    [InlineData(true, null, FlowFailure.Denied)]
    [InlineData(true, "203.0.113.0/24", null)]
    public void Plan_address_that_a_gateway_of_some_namespaces_can_t_know_needs_a_grant_that_names_it(bool limited, string? cidr, FlowFailure? expected)
    {
        var some = new World(limited);
        some.Service("shop/bank", "10.96.1.7", 443);
        some.Slice("shop/bank", "by-hand", 443, ("203.0.113.5", null));
        var plan = some.Planner.Plan(World.Grant("shop", "*", cidr is null ? [] : [cidr]), new FlowTarget(TransportProtocol.Tcp, "bank.shop.svc", 443));
        (plan.Refusal?.Failure).ShouldBe(expected);
    }

    /// <summary>A service in a granted namespace whose endpoints somebody pointed elsewhere.</summary>
    [Theory]
    [InlineData("169.254.169.254", 80)]
    [InlineData("169.254.0.1", 80)]
    [InlineData("fd00:ec2::254", 80)]
    [InlineData("127.0.0.1", 80)]
    [InlineData("::1", 80)]
    [InlineData("0.0.0.0", 80)]
    [InlineData("224.0.0.1", 80)]
    [InlineData("::ffff:10.244.0.5", 80)]
    [InlineData("198.18.0.2", 22)]
    [InlineData("198.18.0.1", 6443)]
    [InlineData("10.96.0.1", 443)]
    [InlineData("10.96.2.2", 80)]
    [InlineData("10.244.0.66", 80)]
    [InlineData("10.244.0.99", 80)]
    [InlineData("10.244.0.77", 8443)]
    public void Plan_service_whose_endpoints_point_elsewhere_is_denied(string address, int port)
    {
        world.Service("shop/trap", "10.96.1.9", 80);
        world.Slice("shop/trap", "trap-x", port, (address, null));
        world.Service("secret/db", "10.96.2.2", 80);
        world.Pod("secret/db-1", "10.244.0.66");
        world.Pod("fairlead/gateway-2", "10.244.0.77", gateway: true);
        Refusal(Shop, "trap.shop.svc", 80).ShouldBe(FlowFailure.Denied);
        world.Planner.Plan(Shop, new FlowTarget(TransportProtocol.Tcp, "trap.shop.svc", 80)).Refusal!.Message.ShouldContain("shop/trap leads");
    }

    [Fact]
    public void Plan_one_bad_endpoint_among_good_ones_is_denied()
    {
        world.Service("shop/mixed", "10.96.1.9", 80);
        world.Pod("shop/a", "10.244.0.5");
        world.Slice("shop/mixed", "one", 80, ("10.244.0.5", "shop/a"));
        world.Slice("shop/mixed", "two", 80, ("169.254.169.254", null));
        Refusal(Shop, "mixed.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Theory]
    [InlineData("169.254.169.254", "169.254.169.254/32", true)]
    [InlineData("198.18.0.2", "198.18.0.0/30", true)]
    [InlineData("10.244.0.66", "10.244.0.66/32", true)]
    [InlineData("198.18.0.1", "198.18.0.0/30", true)]
    [InlineData("127.0.0.1", "127.0.0.0/8", false)]
    [InlineData("::ffff:1.2.3.4", "::/0", false)]
    [InlineData("10.244.0.99", "10.0.0.0/8", false)]
    [InlineData("198.18.0.2", "10.0.0.0/8", false)]
    public void Plan_cidr_of_the_grant_makes_exceptions_but_not_of_everything(string address, string cidr, bool allowed)
    {
        world.Service("shop/odd", "10.96.1.9", 80);
        world.Pod("secret/db-1", "10.244.0.66");
        world.Slice("shop/odd", "odd-x", address == "198.18.0.1" ? 6443 : 80, (address, null));
        (world.Planner.Plan(World.Grant("shop", "*", cidr), new FlowTarget(TransportProtocol.Tcp, "odd.shop.svc", 80)).Dial is not null).ShouldBe(allowed);
    }

    [Fact]
    public void Plan_cidr_counts_only_for_the_services_of_its_rule()
    {
        world.Service("shop/odd", "10.96.1.9", 80);
        world.Slice("shop/odd", "odd-x", 80, ("198.18.0.2", null));
        var rights = World.Grant(new GrantRule(["shop"]), new GrantRule(["shop"], ["other"], null, ["198.18.0.0/30"]));
        Refusal(rights, "odd.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_host_network_pod_of_the_service_is_dialled_but_not_on_a_mere_claim()
    {
        world.Service("shop/agent", "10.96.1.9", 80);
        world.Slice("shop/agent", "agent-x", 9100, ("198.18.0.2", "shop/agent-1"));
        Refusal(Shop, "agent.shop.svc", 80).ShouldBe(FlowFailure.Denied);
        world.Pod("shop/agent-1", "198.18.0.2", hostNetwork: true);
        Plan(Shop, "agent.shop.svc", 80).Dial.ShouldNotBeNull();
        world.Slice("shop/agent", "agent-x", 10250, ("198.18.0.2", "shop/agent-1"));
        Refusal(Shop, "agent.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_service_in_front_of_another_needs_the_grant_of_both_and_judges_what_is_behind()
    {
        world.Service("shop/alias", "10.96.1.9", 80);
        world.Slice("shop/alias", "alias-x", 80, ("10.96.2.2", null));
        world.Service("other/db", "10.96.2.2", 80);
        world.Pod("other/db-1", "10.244.0.66");
        world.Slice("other/db", "db-x", 5432, ("10.244.0.66", "other/db-1"));
        Refusal(Shop, "alias.shop.svc", 80).ShouldBe(FlowFailure.Denied);
        var both = World.Grant(new GrantRule(["shop"]), new GrantRule(["other"], ["db"]));
        Plan(both, "alias.shop.svc", 80).Dial.ShouldNotBeNull();
        world.Slice("other/db", "db-x", 5432, ("169.254.169.254", null));
        Refusal(both, "alias.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_services_in_a_circle_are_denied()
    {
        world.Service("shop/a", "10.96.1.1", 80);
        world.Service("shop/b", "10.96.1.2", 80);
        world.Slice("shop/a", "a-x", 80, ("10.96.1.2", null));
        world.Slice("shop/b", "b-x", 80, ("10.96.1.1", null));
        Refusal(Shop, "a.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_node_address_that_a_load_balancer_shares_is_a_node_on_all_other_ports()
    {
        world.State.PutService(new ServiceView(
            World.Key("shop/balanced"), ServiceKind.ClusterIP, [new ServicePort("main", 80, TransportProtocol.Tcp)], [IPAddress.Parse("10.96.1.1")], [IPAddress.Parse("198.18.0.2")], null));
        world.Service("shop/trap", "10.96.1.9", 80);
        world.Slice("shop/trap", "trap-x", 80, ("198.18.0.2", null));
        Plan(Shop, "trap.shop.svc", 80).Dial.ShouldNotBeNull();
        world.Slice("shop/trap", "trap-x", 10250, ("198.18.0.2", null));
        Refusal(Shop, "trap.shop.svc", 80).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_api_server_needs_a_grant_that_names_it()
    {
        Refusal(World.Grant("*"), "kubernetes.default.svc", 443).ShouldBe(FlowFailure.Denied);
        Refusal(World.Grant("default"), "kubernetes.default.svc", 443).ShouldBe(FlowFailure.Denied);
        Plan(World.Grant("default", "kubernetes"), "kubernetes.default.svc", 443).Dial.ShouldBe([IPEndPoint.Parse("10.96.0.1:443")]);
    }

    [Fact]
    public void Plan_gateway_itself_is_always_denied()
    {
        world.Service("fairlead/fairlead-gateway", "10.96.3.3", 8443);
        Refusal(World.Grant("fairlead", "fairlead-gateway"), "fairlead-gateway.fairlead.svc", 8443).ShouldBe(FlowFailure.Denied);
    }

    [Fact]
    public void Plan_pod_that_ended_leaves_its_address_unsettled_until_it_is_known()
    {
        world.Service("shop/new", "10.96.1.9", 80);
        world.Slice("shop/new", "new-x", 80, ("10.244.0.50", "shop/new-1"));
        Plan(Shop, "new.shop.svc", 80).Unsettled.ShouldNotBeNull();
        world.Pod("shop/new-1", "10.244.0.50");
        Plan(Shop, "new.shop.svc", 80).Dial.ShouldNotBeNull();
        world.State.RemovePod(World.Key("shop/new-1"));
        Plan(Shop, "new.shop.svc", 80).Unsettled.ShouldNotBeNull();
    }

    [Fact]
    public void Plan_headless_service_dials_ready_endpoints_at_their_own_port()
    {
        world.Service("shop/postgres", null, 5432, kind: ServiceKind.Headless);
        world.Pod("shop/postgres-0", "10.244.0.7");
        world.Pod("shop/postgres-1", "10.244.0.8");
        world.Slice("shop/postgres", "pg-x", 15432, ("10.244.0.7", "shop/postgres-0"), ("10.244.0.8", "shop/postgres-1"));
        Plan(Shop, "postgres.shop.svc", 5432).Dial!.Select(d => d.ToString()).Order().ShouldBe(["10.244.0.7:15432", "10.244.0.8:15432"]);
        Plan(Shop, "postgres-1.postgres.shop.svc", 5432).Dial.ShouldBe([IPEndPoint.Parse("10.244.0.8:15432")]);
        Plan(Shop, "postgres-1.postgres.shop.svc", 15432).Dial.ShouldBe([IPEndPoint.Parse("10.244.0.8:15432")]);
        Refusal(Shop, "postgres-9.postgres.shop.svc", 5432).ShouldBe(FlowFailure.NotFound);
        Refusal(Shop, "postgres.shop.svc", 22).ShouldBe(FlowFailure.NotFound);
    }

    [Fact]
    public void Plan_external_name_is_resolved_and_each_address_judged()
    {
        world.Service("shop/out", null, 443, kind: ServiceKind.ExternalName, external: "api.example.com");
        Plan(Shop, "out.shop.svc", 443).Resolve.ShouldBe(new DnsEndPoint("api.example.com", 443));
        world.Service("secret/db", "10.96.2.2", 443);
        Resolved("203.0.113.5").ShouldBe(Verdict.Allowed);
        Resolved("10.96.2.2").ShouldBe(Verdict.Denied);
        Resolved("10.96.0.1").ShouldBe(Verdict.Denied);
        Resolved("169.254.169.254").ShouldBe(Verdict.Denied);
        Resolved("198.18.0.2").ShouldBe(Verdict.Denied);

        Verdict Resolved(string address) =>
            world.Planner.JudgeResolved(Shop, World.Key("shop/out"), new IPEndPoint(IPAddress.Parse(address), 443), TransportProtocol.Tcp).Verdict;
    }

    private FlowPlan Plan(Rights rights, string host, int port)
    {
        var plan = world.Planner.Plan(rights, new FlowTarget(TransportProtocol.Tcp, host, port));
        plan.Refusal.ShouldBeNull();
        return plan;
    }

    private FlowFailure? Refusal(Rights rights, string host, int port) => world.Planner.Plan(rights, new FlowTarget(TransportProtocol.Tcp, host, port)).Refusal?.Failure;
}
