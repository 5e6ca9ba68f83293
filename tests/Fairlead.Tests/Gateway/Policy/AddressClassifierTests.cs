using System.Net;
using Fairlead.Gateway.Policy;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class AddressClassifierTests
{
    [Theory]
    [InlineData("10.1.2.3", "Ordinary")]
    [InlineData("8.8.8.8", "Ordinary")]
    [InlineData("fd12:3456::1", "Ordinary")]
    [InlineData("2600:1f18::1", "Ordinary")]
    [InlineData("0.0.0.0", "Unspecified")]
    [InlineData("0.1.2.3", "Unspecified")]
    [InlineData("::", "Unspecified")]
    [InlineData("127.0.0.1", "Loopback")]
    [InlineData("127.255.255.254", "Loopback")]
    [InlineData("::1", "Loopback")]
    [InlineData("224.0.0.1", "Multicast")]
    [InlineData("239.255.255.255", "Multicast")]
    [InlineData("ff02::1", "Multicast")]
    [InlineData("240.0.0.1", "Reserved")]
    [InlineData("255.255.255.255", "Reserved")]
    [InlineData("169.254.1.1", "LinkLocal")]
    [InlineData("fe80::1", "LinkLocal")]
    [InlineData("febf::1", "LinkLocal")]
    [InlineData("fec0::1", "LinkLocal")]
    [InlineData("169.254.169.254", "Metadata")]
    [InlineData("fd00:ec2::254", "Metadata")]
    [InlineData("100.100.100.200", "Metadata")]
    [InlineData("::ffff:10.0.0.1", "Embedded")]
    [InlineData("::ffff:169.254.169.254", "Embedded")]
    [InlineData("::10.0.0.1", "Embedded")]
    [InlineData("64:ff9b::a9fe:a9fe", "Embedded")]
    [InlineData("2002:a9fe:a9fe::1", "Embedded")]
    [InlineData("2001:0:1::1", "Embedded")]
    public void Classify_address_names_its_class(string address, string expected) =>
        AddressClassifier.Classify(IPAddress.Parse(address)).ToString().ShouldBe(expected);

    [Fact]
    public void Classify_scoped_address_is_link_local() =>
        AddressClassifier.Classify(new IPAddress(IPAddress.Parse("fd12::1").GetAddressBytes(), 3)).ShouldBe(AddressClass.LinkLocal);
}
