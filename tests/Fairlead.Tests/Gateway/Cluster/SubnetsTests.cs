using System.Net;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Tests.Gateway.Cluster;

public sealed class SubnetsTests
{
    [Theory]
    [InlineData("10.0.0.0/24 10.0.1.0/24", "10.0.0.0/23")]
    [InlineData("10.0.1.0/24 10.0.2.0/24", "10.0.1.0/24 10.0.2.0/24")]
    [InlineData("10.0.0.0/8 10.1.0.0/16 10.1.2.0/24", "10.0.0.0/8")]
    [InlineData("10.0.3.0/24 10.0.0.0/24 10.0.2.0/24 10.0.1.0/24", "10.0.0.0/22")]
    [InlineData("0.0.0.0/1 128.0.0.0/1", "0.0.0.0/0")]
    [InlineData("fd00:0:0:1::/64 10.0.0.0/24 fd00::/64", "10.0.0.0/24 fd00::/63")]
    [InlineData("a::/128 a::/128", "a::/128")]
    [InlineData("", "")]
    public void Collapse_same_addresses_in_fewest_subnets(string subnets, string expected) =>
        Text(Subnets.Collapse(Parse(subnets))).ShouldBe(expected);

    [Fact]
    public void Collapse_keeps_every_address_and_adds_none()
    {
        var random = new Random(20261121);
        for (var round = 0; round < 500; round++)
        {
            var subnets = Enumerable.Range(0, 12).Select(_ => Slash(random.Next(256), random.Next(24, 33))).ToList();
            var collapsed = Subnets.Collapse(subnets);
            for (var i = 0; i < 256; i++)
            {
                var address = new IPAddress([10, 0, 0, (byte)i]);
                collapsed.Count(c => c.Contains(address)).ShouldBe(subnets.Any(s => s.Contains(address)) ? 1 : 0);
            }
        }

        static IPNetwork Slash(int last, int prefix) => new(new IPAddress([10, 0, 0, (byte)(last & (0xFF << (32 - prefix)))]), prefix);
    }

    [Theory]
    [InlineData("10.96.0.1 10.96.3.7", 12, 24, "10.96.0.0/22")]
    [InlineData("10.96.0.1", 12, 24, "10.96.0.0/24")]
    [InlineData("10.96.0.1 10.96.255.9", 12, 24, "10.96.0.0/16")]
    [InlineData("10.1.0.1 10.2.0.1", 16, 24, "10.1.0.0/24 10.2.0.0/24")]
    [InlineData("fd00:10:96::1 fd00:10:96::ffff", 108, 120, "fd00:10:96::/112")]
    public void Cover_is_the_smallest_subnet_of_each_group(string addresses, int group, int longest, string expected) =>
        Text(Subnets.Cover(addresses.Split(' ').Select(IPAddress.Parse), group, longest)).ShouldBe(expected);

    private static IEnumerable<IPNetwork> Parse(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPNetwork.Parse);

    private static string Text(IEnumerable<IPNetwork> subnets) => string.Join(' ', subnets);
}
