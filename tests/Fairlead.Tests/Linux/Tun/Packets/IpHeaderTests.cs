using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun.Packets;

public sealed class IpHeaderTests
{
    private const string A = "10.0.0.1";
    private const string B = "10.0.0.2";
    private const string A6 = "fd00::1";
    private const string B6 = "fd00::2";

    [Fact]
    public void Ipv4_options_are_passed_over()
    {
        var header = Read(Packet.Ip(A, B, 17, new byte[8], between: [1, 1, 148, 4, 0, 0, 1, 0]));
        (header.Protocol, header.Transport, header.PayloadLength).ShouldBe((IpHeader.Udp, 28, 8));
    }

    [Theory]
    [InlineData(131)]
    [InlineData(137)]
    public void Source_routes_are_not_followed(byte option) =>
        Fault(Packet.Ip(A, B, 17, new byte[8], between: [option, 7, 4, 10, 0, 0, 9, 0])).ShouldBe(PacketFault.Malformed);

    [Theory]
    [InlineData(new byte[] { 7, 0, 0, 0 })]
    [InlineData(new byte[] { 7, 1, 0, 0 })]
    [InlineData(new byte[] { 7, 9, 0, 0 })]
    [InlineData(new byte[] { 1, 1, 1, 7 })]
    public void Options_that_do_not_fit_are_malformed(byte[] options) => Fault(Packet.Ip(A, B, 17, new byte[8], options)).ShouldBe(PacketFault.Malformed);

    [Fact]
    public void Wrong_versions_lengths_and_checksums_are_found()
    {
        var good = Packet.Udp(A, 1, B, 2);
        Fault(good).ShouldBe(PacketFault.None);
        Fault(With(good, 0, 0x35)).ShouldBe(PacketFault.Malformed);
        Fault(With(good, 0, 0x44)).ShouldBe(PacketFault.Malformed);
        Fault(With(good, 0, 0x4f)).ShouldBe(PacketFault.Malformed);
        Fault(With(good, 3, 29)).ShouldBe(PacketFault.Malformed);
        Fault(With(good, 3, 19)).ShouldBe(PacketFault.Malformed);
        Fault(With(good, 8, 63)).ShouldBe(PacketFault.BadChecksum);
        Fault([]).ShouldBe(PacketFault.Malformed);
        Fault(With(Packet.Udp(A6, 1, B6, 2), 5, 9)).ShouldBe(PacketFault.Malformed);
        Fault(Packet.Udp(A6, 1, B6, 2)[..39]).ShouldBe(PacketFault.Malformed);
    }

    [Fact]
    public void Ipv6_extension_headers_are_passed_over()
    {
        // Hop-by-hop with a router alert, destination options with padding, an atomic fragment.
        byte[] extensions = [60, 0, 5, 2, 0, 0, 1, 0, 44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 9];
        var header = Read(Packet.Ip(A6, B6, 0, new byte[8], extensions));
        (header.Protocol, header.Transport, header.PayloadLength, header.IsFragment).ShouldBe((IpHeader.Udp, 64, 8, false));
    }

    [Fact]
    public void Ipv6_fragment_is_told()
    {
        var header = Read(Packet.Ip(A6, B6, 44, new byte[16], [17, 0, 0, 0x11, 0, 0, 1, 2]));
        (header.IsFragment, header.MoreFragments, header.FragmentOffset, header.FragmentId, header.Protocol).ShouldBe((true, true, 16, 258u, IpHeader.Udp));
        header.NextHeaderField.ShouldBe(6);
    }

    [Theory]
    [InlineData(0x80, PacketFault.UnrecognisedOption)]
    [InlineData(0xc1, PacketFault.UnrecognisedOption)]
    [InlineData(0x41, PacketFault.Malformed)]
    [InlineData(0x1e, PacketFault.None)]
    public void Unknown_ipv6_options_say_themselves_what_to_do(byte option, object fault)
    {
        IpHeader.TryRead(Packet.Ip(A6, B6, 60, new byte[8], [17, 0, option, 4, 0, 0, 0, 0]), out _, out var pointer).ShouldBe((PacketFault)fault);
        pointer.ShouldBe((PacketFault)fault == PacketFault.UnrecognisedOption ? 42 : 0);
    }

    [Fact]
    public void Routing_header_with_segments_left_is_refused()
    {
        IpHeader.TryRead(Packet.Ip(A6, B6, 43, new byte[8], [17, 0, 0, 1, 0, 0, 0, 0]), out _, out var pointer).ShouldBe(PacketFault.RoutingHeader);
        pointer.ShouldBe(42);
        Read(Packet.Ip(A6, B6, 43, new byte[8], [17, 0, 0, 0, 0, 0, 0, 0])).Protocol.ShouldBe(IpHeader.Udp);
    }

    [Fact]
    public void Endless_extension_headers_are_malformed()
    {
        var many = Enumerable.Repeat(new byte[] { 60, 0, 1, 4, 0, 0, 0, 0 }, 20).SelectMany(x => x).ToArray();
        Fault(Packet.Ip(A6, B6, 60, new byte[8], many)).ShouldBe(PacketFault.Malformed);
    }

    [Theory]
    [InlineData("0.0.0.0", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("224.0.0.251", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("246.1.2.3", true)]
    [InlineData("10.0.0.1", true)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("ff02::2", false)]
    [InlineData("fe80::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("2001:db8::ffff:10.0.0.1", true)]
    [InlineData("fd00::1", true)]
    public void Unicast_addresses_are_told_from_others(string address, bool unicast)
    {
        var packet = address.Contains(':') ? Packet.Udp(address, 1, B6, 2) : Packet.Udp(address, 1, B, 2);
        var header = Read(packet);
        Ip.IsUnicast(Ip.ReadAddresses(packet, header.IsV6).Source, header.IsV6).ShouldBe(unicast);
    }

    private static IpHeader Read(byte[] packet)
    {
        IpHeader.TryRead(packet, out var header, out _).ShouldBe(PacketFault.None);
        return header;
    }

    private static PacketFault Fault(byte[] packet) => IpHeader.TryRead(packet, out _, out _);

    private static byte[] With(byte[] packet, int at, byte value)
    {
        var changed = (byte[])packet.Clone();
        changed[at] = value;
        return changed;
    }
}
