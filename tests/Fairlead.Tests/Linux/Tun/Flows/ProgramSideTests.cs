using Fairlead.Linux.Tun.Flows;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun.Flows;

public sealed class ProgramSideTests : IDisposable
{
    private readonly TunBed bed = new();

    public void Dispose() => bed.Dispose();

    [Theory]
    [InlineData(TunBed.App, TunBed.Service)]
    [InlineData(TunBed.App6, TunBed.Service6)]
    public void Datagrams_are_handed_out_with_their_ends(string app, string service)
    {
        bed.FromProgram(Packet.Udp(app, 4000, service, 53, 1, 2, 3));
        bed.FromProgram(Packet.Udp(app, 4000, service, 53));
        bed.Sink.Datagrams.Select(datagram => datagram.Data).ShouldBe([[1, 2, 3], []]);
        bed.Sink.Datagrams[0].Ends.ClientEndPoint.ToString().ShouldEndWith(":4000");
        bed.Sink.Datagrams[0].Ends.DestinationEndPoint.Address.ToString().ShouldBe(service);
    }

    [Fact]
    public void Udp_checksums_are_judged()
    {
        var wrong = Packet.Udp(TunBed.App, 4000, TunBed.Service, 53, 1);
        wrong[27] ^= 1;
        bed.FromProgram(wrong);
        var none6 = Packet.Udp(TunBed.App6, 4000, TunBed.Service6, 53, 1);
        none6.AsSpan(46, 2).Clear();
        bed.FromProgram(none6);
        bed.Sink.Datagrams.ShouldBeEmpty();
        bed.Sink.Drops.ShouldBe(2);
        var none = Packet.Udp(TunBed.App, 4000, TunBed.Service, 53, 1);
        none.AsSpan(26, 2).Clear();
        bed.FromProgram(none);
        bed.Sink.Datagrams.Count.ShouldBe(1);
    }

    [Fact]
    public void Udp_length_that_does_not_fit_is_dropped_and_padding_is_not_data()
    {
        byte[] datagram = [15, 160, 0, 53, 0, 9, 0, 0, 42, 99, 99];
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 17, datagram));
        bed.Sink.Datagrams.ShouldHaveSingleItem().Data.ShouldBe([42]);
        datagram[5] = 12;
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 17, datagram));
        datagram[5] = 7;
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 17, datagram));
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 17, datagram[..7]));
        bed.Sink.Datagrams.Count.ShouldBe(1);
    }

    [Fact]
    public void Segmented_datagrams_are_taken_apart()
    {
        var header = new VirtioHeader { Flags = VirtioHeader.NeedsChecksum, ChecksumStart = 20, ChecksumOffset = 6, SegmentType = VirtioHeader.UdpSegments, SegmentSize = 4 };
        bed.FromProgram(Packet.Udp(TunBed.App, 4000, TunBed.Service, 443, 1, 1, 1, 1, 2, 2, 2, 2, 3), header);
        bed.Sink.Datagrams.Select(datagram => datagram.Data).ShouldBe([[1, 1, 1, 1], [2, 2, 2, 2], [3]]);
    }

    [Theory]
    [InlineData(TunBed.App, TunBed.Service)]
    [InlineData(TunBed.App6, TunBed.Service6)]
    public void Echo_request_is_handed_out(string app, string service)
    {
        bed.FromProgram(Packet.Echo(app, service, 77, 3, 5, 6));
        var echo = bed.Sink.Echoes.ShouldHaveSingleItem();
        (echo.Identifier, echo.Sequence).ShouldBe(((ushort)77, (ushort)3));
        echo.Data.ShouldBe([5, 6]);
        var wrong = Packet.Echo(app, service, 77, 4);
        wrong[^1] ^= 1;
        bed.FromProgram(wrong);
        bed.Sink.Echoes.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(TunBed.App, TunBed.Service, 3, 2)]
    [InlineData(TunBed.App6, TunBed.Service6, 4, 1)]
    public void Unknown_protocol_is_told(string app, string service, byte type, byte code)
    {
        bed.FromProgram(Packet.Ip(app, service, 132, new byte[12]));
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        IpHeader.TryRead(answer, out var ip, out _);
        (answer[ip.Transport], answer[ip.Transport + 1]).ShouldBe((type, code));
        answer[ip.Transport + 7].ShouldBe((byte)(ip.IsV6 ? 6 : 0));
    }

    [Fact]
    public void Ipv6_option_that_wants_to_be_known_is_pointed_at()
    {
        bed.FromProgram(Packet.Ip(TunBed.App6, TunBed.Service6, 60, new byte[8], [17, 0, 0x85, 4, 0, 0, 0, 0]));
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        answer[40..42].ShouldBe([4, 2]);
        answer[47].ShouldBe((byte)42);
    }

    [Theory]
    [InlineData(TunBed.App, "224.0.0.251")]
    [InlineData(TunBed.App, "255.255.255.255")]
    [InlineData("0.0.0.0", TunBed.Service)]
    [InlineData("224.0.0.1", TunBed.Service)]
    [InlineData(TunBed.App6, "ff02::fb")]
    [InlineData("::", TunBed.Service6)]
    [InlineData("::ffff:10.0.0.1", TunBed.Service6)]
    public void What_is_not_between_two_hosts_is_dropped_silently(string source, string destination)
    {
        bed.FromProgram(Packet.Udp(source, 1, destination, 5353, 1));
        bed.FromProgram(Packet.Tcp(source, 1, destination, 80, TcpFlags.Syn));
        bed.FromProgram(Packet.Echo(source, destination, 1, 1));
        bed.FromProgram(Packet.Ip(source, destination, 132, new byte[8]));
        bed.Sink.Drops.ShouldBe(4);
        bed.Sink.Programs.ShouldBeEmpty();
        bed.Sink.Connections.ShouldBeEmpty();
    }

    [Fact]
    public void Errors_and_echo_replies_are_not_answered()
    {
        var reply = Packet.Echo(TunBed.App, TunBed.Service, 1, 1);
        reply[20] = 0;
        bed.FromProgram(reply);
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 1, [3, 3, 0, 0, 0, 0, 0, 0, .. new byte[28]]));
        bed.FromProgram(Packet.Ip(TunBed.App6, TunBed.Service6, 59, []));
        bed.Sink.Programs.ShouldBeEmpty();
        bed.Sink.Echoes.ShouldBeEmpty();
    }

    [Fact]
    public void Icmp_errors_are_limited()
    {
        for (var i = 0; i < 2 * IcmpSender.PerSecond; i++)
        {
            bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 132, new byte[8]));
        }

        bed.Sink.Programs.Count.ShouldBe(IcmpSender.PerSecond);
        bed.Time.Advance(TimeSpan.FromSeconds(1));
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 132, new byte[8]));
        bed.Sink.Programs.Count.ShouldBe(IcmpSender.PerSecond + 1);
    }

    [Fact]
    public void Fragmented_syn_is_a_connection()
    {
        var syn = Packet.Tcp(TunBed.App, 4000, TunBed.Service, 80, TcpFlags.Syn, data: new byte[12])[20..];
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 6, syn[..16], fragment: 0x2000));
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 6, syn[16..], fragment: 2));
        bed.Sink.Connections.ShouldHaveSingleItem();
    }

    [Fact]
    public void Half_a_datagram_is_answered_when_its_time_is_over()
    {
        bed.FromProgram(Packet.Ip(TunBed.App, TunBed.Service, 17, new byte[1480], fragment: 0x2000));
        bed.Side.Sweep(Reassembly.Lifetime);
        var answer = bed.Sink.Answer();
        Packet.IsRight(answer).ShouldBeTrue();
        answer[20..22].ShouldBe([11, 1]);
        answer.Length.ShouldBe(576);
    }

    [Fact]
    public void Offload_that_does_not_fit_its_packet_is_dropped()
    {
        var udp = Packet.Udp(TunBed.App, 4000, TunBed.Service, 53, 1);
        bed.FromProgram(udp, new VirtioHeader { Flags = VirtioHeader.NeedsChecksum, ChecksumStart = 21, ChecksumOffset = 6 });
        bed.FromProgram(udp, new VirtioHeader { Flags = VirtioHeader.NeedsChecksum, ChecksumStart = 20, ChecksumOffset = 16 });
        bed.FromProgram(udp, new VirtioHeader { SegmentType = 1, SegmentSize = 1 });
        bed.FromProgram(udp, new VirtioHeader { SegmentType = VirtioHeader.UdpSegments });
        bed.FromProgram(udp, new VirtioHeader { SegmentType = 3, SegmentSize = 9 });
        bed.Sink.Drops.ShouldBe(5);
        bed.Sink.Datagrams.ShouldBeEmpty();
    }
}
