using System.Net;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Platform.Capture;

public sealed class CaptureTableTests
{
    private static readonly IPAddress Service = IPAddress.Parse("127.72.0.5");
    private static readonly IPAddress Other = IPAddress.Parse("127.72.0.6");

    [Fact]
    public void Addresses_of_entries_are_owned_and_doubles_folded()
    {
        var table = new CaptureTable([Tcp(80), Tcp(80), Tcp(81)], [Other]);
        table.Entries.Count.ShouldBe(2);
        table.OwnedAddresses.ShouldBe([Service, Other], ignoreOrder: true);
    }

    [Fact]
    public void Find_prefers_the_exact_port_to_the_wildcard()
    {
        var table = new CaptureTable([Tcp(80), Tcp(0)], []);
        table.Find(new IPEndPoint(Service, 80), CaptureProtocol.Tcp).ShouldBe(Tcp(80));
        table.Find(new IPEndPoint(Service, 81), CaptureProtocol.Tcp).ShouldBe(Tcp(0));
        table.Find(new IPEndPoint(Service, 80), CaptureProtocol.Udp).ShouldBeNull();
        table.Find(new IPEndPoint(Other, 80), CaptureProtocol.Tcp).ShouldBeNull();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("255.255.255.255")]
    [InlineData("::1")]
    public void Address_that_is_everybodys_or_not_ipv4_is_refused(string address) =>
        Should.Throw<ArgumentException>(() => new CaptureTable([], [IPAddress.Parse(address)]));

    [Fact]
    public void Entries_print_as_people_write_them()
    {
        Tcp(80).ToString().ShouldBe("tcp:127.72.0.5:80");
        new CaptureEntry(Service, CaptureProtocol.Udp, 0).ToString().ShouldBe("udp:127.72.0.5:*");
    }

    private static CaptureEntry Tcp(ushort port) => new(Service, CaptureProtocol.Tcp, port);
}
