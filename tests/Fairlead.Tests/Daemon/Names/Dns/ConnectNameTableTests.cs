using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Plan;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;
using Fairlead.Tests.Dns;

namespace Fairlead.Tests.Daemon.Names.Dns;

public sealed class ConnectNameTableTests
{
    private static readonly AddressTranslation Translation = new([new TranslatedSubnet(IPNetwork.Parse("10.96.0.0/16"), IPNetwork.Parse("246.246.0.0/16"))]);
    private readonly FakeClusterDns cluster = new();

    [Fact]
    public void Addresses_are_those_by_which_the_plan_reaches_them()
    {
        var zone = Zone(new ServiceRecord("shop", "frontend", ServiceKind.ClusterIP, [new("http", 80, TransportProtocol.Tcp)], [], ["10.96.3.7", "fd00::7", "nonsense"]));
        foreach (var name in new[] { "frontend", "frontend.shop", "frontend.shop.svc", "frontend.shop.svc.cluster.local" })
        {
            Records(zone, name, DnsType.A).ShouldBe(["246.246.3.7"]);
            Records(zone, name, DnsType.Aaaa).ShouldBe(["fd00::7"]);
        }

        zone.Find(NameTable.ReverseName(IPAddress.Parse("246.246.3.7")))!.Pointer!.ToString().ShouldBe("frontend.shop.svc.cluster.local");
        zone.FindServices(DnsName.Parse("_http._tcp.frontend.shop"), out _)!.Count.ShouldBe(1);
        zone.FindSuffix(DnsName.Parse("1.1.246.246.in-addr.arpa"))!.Use.ShouldBe(SuffixUse.Owned);
    }

    [Fact]
    public void Headless_service_has_its_ready_endpoints()
    {
        var zone = Zone(new ServiceRecord("shop", "postgres", ServiceKind.Headless, [new("sql", 5432, TransportProtocol.Tcp)], ["postgres-0", "postgres-1"], ["10.132.0.5"],
            new Dictionary<string, IReadOnlyList<string>> { ["postgres-0"] = ["10.132.0.5"] }));
        Records(zone, "postgres.shop", DnsType.A).ShouldBe(["10.132.0.5"]);
        Records(zone, "postgres-0.postgres.shop", DnsType.A).ShouldBe(["10.132.0.5"]);
        zone.Find(DnsName.Parse("postgres-1.postgres.shop")).ShouldBeNull();
        zone.FindServices(DnsName.Parse("_sql._tcp.postgres.shop"), out _)!.ShouldHaveSingleItem().Data.ShouldBe(new ServiceData(0, 100, 5432, DnsName.Parse("postgres-0.postgres.shop")));
        zone.Find(NameTable.ReverseName(IPAddress.Parse("10.132.0.5")))!.Pointer!.ToString().ShouldBe("postgres-0.postgres.shop.svc.cluster.local");
    }

    [Fact]
    public void ExternalName_is_an_alias_and_unmapped_namespaces_have_no_names()
    {
        var zone = Zone(
            new ServiceRecord("shop", "site", ServiceKind.ExternalName, [], [], ExternalName: "www.example.com."),
            new ServiceRecord("other", "x", ServiceKind.ClusterIP, [], [], ["10.96.0.1"]),
            new ServiceRecord("shop", "old", ServiceKind.ClusterIP, [], []));
        zone.Find(DnsName.Parse("site.shop"))!.Alias!.ToString().ShouldBe("www.example.com");
        zone.Find(DnsName.Parse("x.other")).ShouldBeNull();
        zone.Find(DnsName.Parse("old.shop")).ShouldBeNull();
    }

    private Zone Zone(params ServiceRecord[] services) => NameTable.ToZone(
        [ConnectNameTable.Create(services, new ServiceNames("cluster.local", "shop", null), ["shop"], Translation, cluster, "fairlead0")], new NameSettings(true, "", "", ""), cluster);

    private static IEnumerable<string> Records(Zone zone, string name, DnsType type) =>
        Fairlead.Dns.Zones.Zone.Records(zone.Find(DnsName.Parse(name))!, DnsName.Parse(name), type).Select(record => ((AddressData)record.Data).Value.ToString());
}
