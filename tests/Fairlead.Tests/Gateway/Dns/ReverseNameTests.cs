using Fairlead.Dns.Messages;
using Fairlead.Gateway.Dns;

namespace Fairlead.Tests.Gateway.Dns;

public sealed class ReverseNameTests
{
    [Theory]
    [InlineData("7.3.96.10.in-addr.arpa", "10.96.3.7")]
    [InlineData("7.3.96.10.IN-ADDR.ARPA", "10.96.3.7")]
    [InlineData("a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa", "fd00:10:96::a")]
    [InlineData("3.96.10.in-addr.arpa", null)]
    [InlineData("256.3.96.10.in-addr.arpa", null)]
    [InlineData("7.3.96.10.in-addr.example", null)]
    [InlineData("frontend.shop.svc.cluster.local", null)]
    public void Parse_gives_the_address_of_a_whole_reverse_name(string name, string? expected) =>
        (ReverseName.Parse(DnsName.Parse(name))?.ToString()).ShouldBe(expected);
}
