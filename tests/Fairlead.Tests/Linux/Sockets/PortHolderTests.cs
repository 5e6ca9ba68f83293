using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Sockets;
using Fairlead.Platform.Capture;

namespace Fairlead.Tests.Linux.Sockets;

public sealed class PortHolderTests
{
    private const string Header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

    [Theory]
    [InlineData("00000000:1F90", "0A", true, "any address")]
    [InlineData("0500487F:1F90", "0A", true, "the address itself")]
    [InlineData("0100007F:1F90", "0A", false, "another address")]
    [InlineData("00000000:1F91", "0A", false, "another port")]
    [InlineData("0500487F:1F90", "01", false, "a connection, not a listener")]
    [InlineData("00000000000000000000000000000000:1F90", "0A", true, "any address of IPv6")]
    [InlineData("0000000000000000FFFF00000500487F:1F90", "0A", true, "the address, mapped")]
    public void Line_of_proc_net_tcp_holds_the_port_or_not(string local, string state, bool holds, string what)
    {
        var line = $"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0";
        PortHolder.Inodes([Header, line], IPAddress.Parse("127.72.0.5"), 8080, CaptureProtocol.Tcp).ShouldBe(holds ? ["4711"] : [], what);
    }

    [Fact]
    public void Holder_of_a_real_port_is_this_process()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        PortHolder.Find(IPAddress.Loopback, (ushort)((IPEndPoint)socket.LocalEndPoint!).Port, CaptureProtocol.Tcp).ShouldNotBeNull().Pid.ShouldBe(Environment.ProcessId);
    }
}
