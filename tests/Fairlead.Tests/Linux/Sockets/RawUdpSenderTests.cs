using System.Net;
using Fairlead.Linux.Sockets;

namespace Fairlead.Tests.Linux.Sockets;

public sealed class RawUdpSenderTests
{
    [Fact]
    public void Header_is_an_ipv4_header_and_a_udp_header()
    {
        var header = new byte[28];
        RawUdpSender.WriteHeader(header, IPEndPoint.Parse("127.72.0.5:53"), IPEndPoint.Parse("127.0.0.1:40000"), 100);
        Convert.ToHexStringLower(header).ShouldBe("45000000" + "00000000" + "40110000" + "7f480005" + "7f000001" + "00359c40" + "006c0000");
    }

    [Fact]
    public void Ends_that_are_not_ipv4_are_refused() =>
        Should.Throw<ArgumentException>(() => RawUdpSender.WriteHeader(new byte[28], IPEndPoint.Parse("[::1]:53"), IPEndPoint.Parse("127.0.0.1:1"), 0));
}
