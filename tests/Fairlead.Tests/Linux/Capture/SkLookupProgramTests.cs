using System.Net;
using Fairlead.Linux.Capture;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Linux.Capture;

public sealed class SkLookupProgramTests
{
    [Fact]
    public void Key_has_address_in_network_order_then_port_and_protocol_in_host_order()
    {
        var key = SkLookupProgram.KeyOf(new CaptureEntry(IPAddress.Parse("127.72.1.2"), CaptureProtocol.Udp, 0x1234));
        BitConverter.GetBytes(key).ShouldBe([127, 72, 1, 2, 0x34, 0x12, 17, 0]);
    }

    [Fact]
    public void Keys_of_address_wildcard_and_port_differ()
    {
        var address = IPAddress.Parse("127.72.1.2");
        new[]
        {
            SkLookupProgram.KeyOf(address),
            SkLookupProgram.KeyOf(address, 0, CaptureProtocol.Tcp),
            SkLookupProgram.KeyOf(address, 0, CaptureProtocol.Udp),
            SkLookupProgram.KeyOf(address, 80, CaptureProtocol.Tcp),
        }.Distinct().Count().ShouldBe(4);
    }
}
