using System.Net;
using Fairlead.Linux.Capture;

namespace Fairlead.Tests.Linux.Capture;

public sealed class NftTableTests
{
    [Fact]
    public void Script_replaces_its_own_table_and_names_no_other()
    {
        var script = new NftTable("fairlead").CreateScript(IPEndPoint.Parse("127.72.0.0:40000"));
        script.ShouldStartWith("add table ip fairlead\ndelete table ip fairlead\ntable ip fairlead {\n");
        script.ShouldContain("ip daddr . tcp dport @tcp_ports dnat to 127.72.0.0:40000\n");
        script.ShouldNotContain("flush");
    }
}
