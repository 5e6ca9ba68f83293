using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Run;
using Fairlead.Dns.Messages;
using Fairlead.Tests.Daemon.Fakes;
using Fairlead.Tests.Dns;

namespace Fairlead.Tests.Daemon.Run;

public sealed class RunViewTests
{
    private static readonly ClusterNetwork Network = new(["10.96.0.0/16"], ["10.244.0.0/16", "fd00:244::/56"], "cluster.local", null);

    private readonly FakeClusterDns cluster = new();

    [Theory]
    [InlineData("10.96.1.2", true)]
    [InlineData("10.244.255.255", true)]
    [InlineData("fd00:244::7", true)]
    [InlineData("10.97.0.1", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("2001:db8::1", false)]
    public void Whole_cluster_has_its_own_subnets_and_the_host_everything_else(string address, bool isOurs)
    {
        var view = RunView.OfCluster(Space([], "*/*"), Network, cluster);

        var target = view.Find(new IPEndPoint(IPAddress.Parse(address), 80), TransportProtocol.Tcp, out var ours);

        ours.ShouldBe(isOurs);
        target?.Host.ShouldBe(address);
        (target is not null).ShouldBe(isOurs);
    }

    [Fact]
    public void Whole_cluster_answers_with_the_addresses_that_services_have_there()
    {
        var view = RunView.OfCluster(
            Space([Service("frontend", "10.96.1.2"), Service("postgres", "10.244.0.5") with { Kind = ServiceKind.Headless, Endpoints = ["postgres-0"], EndpointAddresses = new Dictionary<string, IReadOnlyList<string>> { ["postgres-0"] = ["10.244.0.5"] } }], "*/*"),
            Network,
            cluster);

        var zone = new Fairlead.Dns.Zones.Zone(view.Names.Names, view.Names.Suffixes);
        Addresses(zone, "frontend.shop.svc.cluster.local").ShouldBe(["10.96.1.2"]);
        Addresses(zone, "postgres-0.postgres.shop").ShouldBe(["10.244.0.5"]);
        zone.Find(DnsName.Parse("2.1.96.10.in-addr.arpa"))!.Pointer!.ToString().ShouldStartWith("frontend.shop.svc.cluster.local");
        zone.Find(DnsName.Parse("www.example.com")).ShouldBeNull();
    }

    [Fact]
    public void Rules_give_services_addresses_of_their_own_and_nothing_else_of_the_cluster()
    {
        var space = Space([Service("frontend", null, 80), Service("redis", null, 6379)], "shop/frontend");
        var selection = ConsumeSelection.Create([space], ConsumeSelection.Nothing);
        var book = new AddressBook(OwnSpaces.Range);
        var view = RunView.OfServices(new ConsumePlan(selection, book.Assign([.. selection.Hosts.Select(host => host.Key)], new HashSet<IPAddress>(), default)), space, cluster);
        var zone = new Fairlead.Dns.Zones.Zone(view.Names.Names, view.Names.Suffixes);
        var address = IPAddress.Parse(Addresses(zone, "frontend.shop").Single());

        view.Find(new IPEndPoint(address, 80), TransportProtocol.Tcp, out var isOurs)!.Value.Host.ShouldBe("frontend.shop.svc");
        isOurs.ShouldBeTrue();
        view.Find(new IPEndPoint(IPAddress.Parse("247.72.255.255"), 80), TransportProtocol.Tcp, out isOurs).ShouldBeNull();
        isOurs.ShouldBeTrue();
        view.Find(new IPEndPoint(address, 0), TransportProtocol.Icmp, out _).ShouldBeNull();
        view.Find(new IPEndPoint(IPAddress.Parse("10.96.1.2"), 80), TransportProtocol.Tcp, out isOurs).ShouldBeNull();
        isOurs.ShouldBeFalse();
        zone.Find(DnsName.Parse("redis.shop")).ShouldBeNull();
    }

    private static IEnumerable<string> Addresses(Fairlead.Dns.Zones.Zone zone, string name) =>
        Fairlead.Dns.Zones.Zone.Records(zone.Find(DnsName.Parse(name))!, DnsName.Parse(name), DnsType.A).Select(record => ((AddressData)record.Data).Value.ToString());

    private static PlanSpace Space(IReadOnlyCollection<ServiceRecord> services, params string[] rules) =>
        new("1/u", "team", InUse: true, "cluster.local", null, RuleSet.Parse(rules), services);

    private static ServiceRecord Service(string name, string? address, int port = 80) =>
        new("shop", name, ServiceKind.ClusterIP, [new ServicePort("", port, TransportProtocol.Tcp)], [], address is null ? null : [address]);
}
