using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class LiteralPlannerTests
{
    private static readonly Rights Shop = World.Grant("shop");
    private static readonly Rights Frontend = World.Grant("shop", "frontend");

    private readonly World world = new();

    public LiteralPlannerTests()
    {
        world.Service("shop/frontend", "10.96.1.1", 80);
        world.Pod("shop/frontend-1", "10.244.0.5");
        world.Slice("shop/frontend", "frontend-x", 8080, ("10.244.0.5", "shop/frontend-1"));
        world.Service("bank/vault", "10.96.1.2", 443);
        world.Pod("bank/vault-1", "10.244.0.6");
        world.Slice("bank/vault", "vault-x", 8443, ("10.244.0.6", "bank/vault-1"));
        world.Pod("shop/loner", "10.244.0.7");
        world.Pod("fairlead/gw", "10.244.0.8", gateway: true);
    }

    [Theory]
    [InlineData("10.96.1.1", 80)] // a service's own address
    [InlineData("10.244.0.5", 8080)] // a pod behind it
    [InlineData("10.244.0.5", 9229)] // any port of a pod of a namespace that is granted as a whole
    [InlineData("10.244.0.7", 22)] // a pod behind no service
    public void Plan_address_of_a_granted_namespace_is_dialled(string address, int port) =>
        Plan(Shop, address, port).Dial.ShouldBe([new IPEndPoint(IPAddress.Parse(address), port)]);

    [Theory]
    [InlineData("10.96.1.1", 80, null)]
    [InlineData("10.244.0.5", 8080, null)]
    [InlineData("10.244.0.5", 9229, FlowFailure.Denied)] // not what the service leads to
    [InlineData("10.244.0.7", 8080, FlowFailure.Denied)] // not behind the service
    public void Plan_address_under_a_grant_of_one_service_is_dialled_where_the_service_leads(string address, int port, FlowFailure? expected) =>
        (Plan(Frontend, address, port).Refusal?.Failure).ShouldBe(expected);

    [Theory]
    [InlineData("10.96.1.1", 81, FlowFailure.ConnectionRefused)] // as a cluster refuses a port that the service lacks
    [InlineData("10.96.1.2", 443, FlowFailure.Denied)]
    [InlineData("10.244.0.6", 8443, FlowFailure.Denied)]
    [InlineData("10.96.0.1", 443, FlowFailure.Denied)] // default/kubernetes
    [InlineData("198.18.0.1", 6443, FlowFailure.Denied)] // the API server itself
    [InlineData("198.18.0.2", 22, FlowFailure.Denied)] // a node
    [InlineData("10.244.0.8", 8443, FlowFailure.Denied)] // the gateway
    [InlineData("10.244.0.99", 8443, FlowFailure.Denied)] // the gateway, by its own interface
    [InlineData("203.0.113.7", 443, FlowFailure.Denied)] // no address of the cluster's
    [InlineData("169.254.169.254", 80, FlowFailure.Denied)]
    [InlineData("127.0.0.1", 80, FlowFailure.Denied)]
    [InlineData("::ffff:10.244.0.5", 8080, FlowFailure.Denied)]
    [InlineData("010.096.001.001", 80, FlowFailure.ProtocolError)]
    [InlineData("10.96.257", 80, FlowFailure.ProtocolError)]
    [InlineData("fe80::1%eth0", 80, FlowFailure.ProtocolError)]
    public void Plan_address_that_is_not_granted_or_not_there_is_refused(string address, int port, FlowFailure expected) =>
        Plan(Shop, address, port).Refusal!.Failure.ShouldBe(expected);

    [Fact]
    public void Plan_pod_address_that_nobody_has_may_settle_and_is_unreachable_otherwise() =>
        Plan(Shop, "10.244.7.7", 80).Unsettled!.Failure.ShouldBe(FlowFailure.Unreachable);

    [Theory]
    [InlineData("203.0.113.7", null)]
    [InlineData("198.18.0.2", null)] // a node, named
    [InlineData("169.254.169.254", null)] // metadata, named
    [InlineData("10.244.0.6", null)] // a pod of another namespace, named
    [InlineData("127.0.0.1", FlowFailure.Denied)]
    [InlineData("10.96.1.2", FlowFailure.Denied)] // a ClusterIP is its service
    [InlineData("10.244.0.8", FlowFailure.Denied)] // never the gateway
    [InlineData("8.8.8.8", FlowFailure.Denied)]
    public void Plan_address_that_a_rule_of_addresses_names_is_dialled(string address, FlowFailure? expected)
    {
        var rights = World.Grant(new GrantRule(null, Cidrs: ["203.0.113.0/24", "198.18.0.0/30", "169.254.169.254/32", "10.0.0.0/8", "127.0.0.0/8"]));
        (Plan(rights, address, 443).Refusal?.Failure).ShouldBe(expected);
    }

    [Theory]
    [InlineData("shop", "*", true)] // an exception for what is behind services is none for addresses themselves
    [InlineData("*", "frontend", true)]
    [InlineData("*", "*", false)]
    public void Plan_cidr_of_a_rule_about_services_reaches_addresses_only_where_it_is_about_all(string ns, string service, bool refused) =>
        (Plan(World.Grant(ns, service, "203.0.113.0/24"), "203.0.113.7", 443).Refusal is not null).ShouldBe(refused);

    [Fact]
    public void Plan_node_address_is_dialled_where_a_granted_service_has_a_pod_there()
    {
        world.Pod("shop/ingress-1", "198.18.0.2", hostNetwork: true);
        world.Service("shop/ingress", null, 443, kind: ServiceKind.Headless);
        world.Slice("shop/ingress", "ingress-x", 8443, ("198.18.0.2", "shop/ingress-1"));
        Plan(Shop, "198.18.0.2", 8443).Dial.ShouldNotBeNull();
        Plan(Shop, "198.18.0.2", 22).Refusal!.Failure.ShouldBe(FlowFailure.Denied);
    }

    [Theory]
    [InlineData("10.96.1.1", null)]
    [InlineData("10.244.0.5", null)]
    [InlineData("10.96.1.2", FlowFailure.Denied)]
    [InlineData("10.244.0.7", FlowFailure.Denied)]
    public void Plan_echo_goes_where_some_port_may(string address, FlowFailure? expected)
    {
        var plan = world.Planner.Plan(Frontend, new FlowTarget(TransportProtocol.Icmp, address, 0));
        (plan.Refusal?.Failure).ShouldBe(expected);
        plan.Dial.ShouldBe(expected is null ? [new IPEndPoint(IPAddress.Parse(address), 0)] : null);
    }

    [Fact]
    public void Plan_echo_to_a_name_is_no_target() =>
        world.Planner.Plan(Shop, new FlowTarget(TransportProtocol.Icmp, "frontend.shop.svc", 0)).Refusal!.Failure.ShouldBe(FlowFailure.ProtocolError);

    [Theory]
    [InlineData("127.0.0.1", null)] // the pod's own loopback
    [InlineData("203.0.113.7", null)] // what only that pod may reach
    [InlineData("10.96.1.1", null)]
    [InlineData("10.96.1.2", FlowFailure.Denied)] // another namespace's service stays that
    [InlineData("10.244.0.6", FlowFailure.Denied)]
    [InlineData("198.18.0.2", FlowFailure.Denied)]
    [InlineData("169.254.169.254", FlowFailure.Denied)]
    [InlineData("198.18.0.1", FlowFailure.Denied)] // port 6443 below
    public void Plan_by_way_of_a_granted_workload_reaches_its_loopback_and_beyond_the_cluster(string address, FlowFailure? expected)
    {
        var rights = World.Grant(new GrantRule(["shop"]), new GrantRule(["shop"], ["frontend"], [GrantVerbs.Attach]));
        var plan = world.Planner.Plan(rights, new FlowTarget(TransportProtocol.Tcp, address, address.EndsWith("18.0.1", StringComparison.Ordinal) ? 6443 : 80, "shop/deployment/frontend"));
        (plan.Refusal?.Failure).ShouldBe(expected);
        plan.Exit.ShouldBe(expected is null ? new WorkloadKey("shop", WorkloadKind.Deployment, "frontend") : null);
    }

    [Theory]
    [InlineData("shop/deployment/other", FlowFailure.Denied)]
    [InlineData("bank/deployment/frontend", FlowFailure.Denied)]
    [InlineData("shop/daemonset/frontend", FlowFailure.ProtocolError)]
    [InlineData("shop/frontend", FlowFailure.ProtocolError)]
    [InlineData("shop/deployment/../frontend", FlowFailure.ProtocolError)]
    public void Plan_by_way_of_another_workload_is_refused(string via, FlowFailure expected)
    {
        var rights = World.Grant(new GrantRule(["shop"]), new GrantRule(["shop"], ["frontend"], [GrantVerbs.Attach]));
        world.Planner.Plan(rights, new FlowTarget(TransportProtocol.Tcp, "127.0.0.1", 80, via)).Refusal!.Failure.ShouldBe(expected);
    }

    [Fact]
    public void MayKnow_names_of_addresses_go_with_what_is_granted()
    {
        world.Judge.MayKnow(Frontend, IPAddress.Parse("10.96.1.1")).ShouldBeTrue();
        world.Judge.MayKnow(Frontend, IPAddress.Parse("10.244.0.5")).ShouldBeTrue();
        world.Judge.MayKnow(Frontend, IPAddress.Parse("10.96.1.2")).ShouldBeFalse();
        world.Judge.MayKnow(Frontend, IPAddress.Parse("10.244.0.7")).ShouldBeFalse();
        world.Judge.MayKnow(Shop, IPAddress.Parse("10.244.0.7")).ShouldBeTrue();
    }

    private FlowPlan Plan(Rights rights, string host, int port) => world.Planner.Plan(rights, new FlowTarget(TransportProtocol.Tcp, host, port));
}
