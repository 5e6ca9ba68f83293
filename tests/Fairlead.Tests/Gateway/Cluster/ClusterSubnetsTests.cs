using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Tests.Gateway.Cluster;

public sealed class ClusterSubnetsTests
{
    [Theory]
    [InlineData("10.96.0.0/16", "10.96.0.1 10.96.4.1", "10.96.0.0/16")]
    [InlineData("", "10.96.0.1 10.96.4.1", "10.96.0.0/21")]
    [InlineData("10.96.0.0/16", "10.96.0.1 fd00:96::a", "10.96.0.0/16 fd00:96::/120")]
    [InlineData("10.96.0.0/16 10.97.0.0/16", "", "10.96.0.0/15")]
    [InlineData("", "", "")]
    public void Services_are_where_the_api_server_says_and_else_around_those_there_are(string ranges, string addresses, string expected) =>
        Text(ClusterSubnets.OfServices([.. Networks(ranges)], Addresses(addresses))).ShouldBe(expected);

    [Theory]
    [InlineData("10.244.0.0/24 10.244.1.0/24", "10.244.0.5 10.244.1.7", "", "10.244.0.0/23")]
    [InlineData("10.244.0.0/24", "", "", "10.244.0.0/24")]
    [InlineData("10.244.0.0/24", "10.0.3.5 10.0.9.5", "", "10.0.0.0/20")]
    [InlineData("10.244.0.0/24", "10.244.0.5 10.0.3.5", "", "10.0.3.0/24 10.244.0.0/24")]
    [InlineData("", "10.1.3.5 100.64.7.7", "", "10.1.3.0/24 100.64.7.0/24")]
    [InlineData("", "", "10.1.3.0/24", "10.1.3.0/24")]
    [InlineData("", "10.1.2.9", "10.1.3.0/24", "10.1.2.0/23")]
    [InlineData("10.244.0.0/24 fd00:244::/64", "10.244.0.5 fd00:9::5", "", "10.244.0.0/24 fd00:9::/64")]
    public void Pods_are_where_the_nodes_say_as_far_as_pods_are_there_and_around_the_others(string nodes, string pods, string known, string expected) =>
        Text(ClusterSubnets.OfPods(Networks(nodes), [.. Addresses(pods)], [.. Networks(known)])).ShouldBe(expected);

    [Fact]
    public void Pods_of_more_subnets_than_a_client_takes_are_told_coarsely()
    {
        var scattered = Enumerable.Range(0, 2 * ClusterNetwork.MaxSubnets).Select(i => new IPNetwork(new IPAddress([10, (byte)(i / 64), (byte)(i % 64 * 4), 0]), 24));
        Text(ClusterSubnets.OfPods(scattered, [], [])).ShouldBe("10.0.0.0/13");
    }

    [Theory]
    [InlineData("Service \"x\" is invalid: spec.clusterIPs: Invalid value: []string{\"192.0.2.1\"}: failed to allocate IP 192.0.2.1: the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16", "10.96.0.0/16")]
    [InlineData("Service \"x\" is invalid: spec.clusterIP: Invalid value: \"192.0.2.1\": provided IP is not in the valid range. The range of valid IPs is 10.43.0.0/16", "10.43.0.0/16")]
    [InlineData("failed to allocate IP 2001:db8::1: the provided IP (2001:db8::1) is not in the valid range. The range of valid IPs is fd00:10:96::/112", "fd00:10:96::/112")]
    [InlineData("spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster", null)]
    [InlineData("admission webhook \"policy\" denied the request: The range of valid IPs is up to you", null)]
    [InlineData("The range of valid IPs is 999.1.1.1/8", null)]
    public void Range_is_read_from_the_api_server_s_refusal(string message, string? expected) => (ServiceRangeReader.RangeIn(message)?.ToString()).ShouldBe(expected);

    private static IEnumerable<IPNetwork> Networks(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPNetwork.Parse);

    private static IEnumerable<IPAddress> Addresses(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse);

    private static string Text(IEnumerable<IPNetwork> subnets) => string.Join(' ', subnets);
}
