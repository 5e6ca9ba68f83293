using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Fairlead.Linux.Netlink;
using Fairlead.Linux.Routes;
using Fairlead.Platform;
using Fairlead.Platform.Routes;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Linux.Netlink;

public sealed class NetlinkTests
{
    private static readonly Gen<byte[]> Octets = Gen.Choose(0, 200).SelectMany(count => Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), count));

    [Fact]
    public void Messages_of_one_datagram_are_read_one_by_one()
    {
        byte[] datagram = [.. new NetlinkWriter(24, 2, new byte[12]).Add(15, 300u).ToArray(7), .. new NetlinkWriter(3, 2, new byte[4]).ToArray(7)];
        var reader = new NetlinkReader(datagram);
        reader.Next(out var route).ShouldBeTrue();
        (route.Type, route.Flags, route.Sequence).ShouldBe(((ushort)24, (ushort)2, 7u));
        reader.Next(out var done).ShouldBeTrue();
        done.Type.ShouldBe(NetlinkMessage.DoneType);
        reader.Next(out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(1000)]
    [InlineData(-1)]
    public void Message_with_an_impossible_length_is_refused(int length)
    {
        var datagram = new byte[32];
        MemoryMarshal.Write(datagram, length);
        Should.Throw<HostException>(() => new NetlinkReader(datagram).Next(out _));
    }

    [Fact]
    public void Any_octets_are_read_without_a_crash_and_without_an_end_that_never_comes() => Prop.ForAll(Octets.ToArbitrary(), octets =>
    {
        var routes = new List<RouteMessages.ReadRoute>();
        RouteMessages.ReadRoutes(octets, routes);
        routes.Count.ShouldBeLessThanOrEqualTo(octets.Length);
        RouteMessages.ReadRuleOf(octets);
        RouteMessages.ReadLink(octets);
        RouteMessages.ReadAddress(octets);
        try
        {
            for (var reader = new NetlinkReader(octets); reader.Next(out _);)
            {
            }
        }
        catch (HostException)
        {
            // Refused as malformed.
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Route_with_several_next_hops_is_one_for_each()
    {
        byte[] header = [2, 8, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        byte[] hops = [16, 0, 0, 0, 5, 0, 0, 0, 8, 0, 5, 0, 192, 0, 2, 1, 8, 0, 0, 0, 6, 0, 0, 0];
        var body = new NetlinkWriter(24, 0, header).Add(1, [10, 0, 0, 0]).Add(9, hops).ToArray(1)[NetlinkReader.HeaderLength..];
        var routes = new List<RouteMessages.ReadRoute>();
        RouteMessages.ReadRoutes(body, routes);
        routes.Select(route => route.Route).ShouldBe([
            new HostRoute(IPNetwork.Parse("10.0.0.0/8"), 254, HostRouteType.Unicast, 5, IPAddress.Parse("192.0.2.1"), 0),
            new HostRoute(IPNetwork.Parse("10.0.0.0/8"), 254, HostRouteType.Unicast, 6, null, 0),
        ]);
    }

    [Fact]
    public void Rule_is_read_with_its_mark_and_suppression()
    {
        // not fwmark 0xca6c lookup 51820, as wg-quick makes it
        byte[] header = [2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0];
        var body = new NetlinkWriter(32, 0, header).Add(6, 32765u).Add(10, 0xca6cu).Add(16, uint.MaxValue).Add(15, 51820u).Add(14, uint.MaxValue).Add(21, [0]).ToArray(1)[NetlinkReader.HeaderLength..];
        var rule = RouteMessages.ReadRuleOf(body)!.Value.Rule;
        rule.ShouldBe(new HostRule(AddressFamily.InterNetwork, 32765, HostRuleAction.Table, 51820, null, 0xca6c, uint.MaxValue, true, null, false));
        rule.TakesUnmarked.ShouldBeTrue();
    }
}
