using System.Net;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;
using Fairlead.Tests.Dns;

namespace Fairlead.Tests.Daemon.Names.Dns;

public sealed class NameTableTests
{
    private static readonly NameSettings None = new(true, "", "", "");

    [Theory]
    [InlineData("127.72.0.9", "9.0.72.127.in-addr.arpa")]
    [InlineData("2001:db8::5", "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa")]
    public void Address_has_a_reverse_name(string address, string name) => NameTable.ReverseName(IPAddress.Parse(address)).ToString().ShouldBe(name);

    [Theory]
    [InlineData("127.72.0.0/14", "72.127.in-addr.arpa 73.127.in-addr.arpa 74.127.in-addr.arpa 75.127.in-addr.arpa")]
    [InlineData("10.0.0.0/8", "10.in-addr.arpa")]
    [InlineData("10.1.2.0/24", "2.1.10.in-addr.arpa")]
    [InlineData("10.1.2.128/31", "128.2.1.10.in-addr.arpa 129.2.1.10.in-addr.arpa")]
    [InlineData("fd00::/8", "d.f.ip6.arpa")]
    [InlineData("fd00::/7", "c.f.ip6.arpa d.f.ip6.arpa")]
    public void Network_has_reverse_suffixes(string network, string expected) =>
        NameTable.ReverseSuffixes(new IPNetwork(IPNetwork.TryParse(network, out var parsed) ? parsed.BaseAddress : IPAddress.Parse("fc00::"), int.Parse(network.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture)))
            .Select(name => name.ToString()).Order(StringComparer.Ordinal).ShouldBe(expected.Split(' '));

    [Fact]
    public void Settings_become_aliases_and_suffixes()
    {
        var cluster = new FakeClusterDns();
        var settings = None with { Include = ".corp.internal", Exclude = "api.dev", Mappings = "db=postgres.shop,fixed=10.0.0.5" };
        var table = new NameTable([new ZoneName(DnsName.Parse("api.dev"), [IPAddress.Loopback]), new ZoneName(DnsName.Parse("db"), [IPAddress.Loopback])], [], []);
        var zone = NameTable.ToZone([table], settings, cluster);
        zone.Find(DnsName.Parse("api.dev")).ShouldBeNull();
        zone.Find(DnsName.Parse("db"))!.Alias!.ToString().ShouldBe("postgres.shop");
        Zone.Records(zone.Find(DnsName.Parse("fixed"))!, DnsName.Parse("fixed"), DnsType.A).ShouldHaveSingleItem().Data.ShouldBe(new AddressData(IPAddress.Parse("10.0.0.5")));
        zone.FindSuffix(DnsName.Parse("x.corp.internal"))!.Use.ShouldBe(SuffixUse.Cluster);
        zone.FindSuffix(DnsName.Parse("v1.api.dev"))!.Use.ShouldBe(SuffixUse.Excluded);
        NameTable.Domains(zone, settings).ShouldBe(["corp.internal", "db", "fixed"]);
    }
}
