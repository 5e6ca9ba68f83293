using Fairlead.Sandbox.Network;

namespace Fairlead.Tests.Sandbox.Network;

public sealed class AddressTests
{
    [Fact]
    public void Layout_takes_the_first_two_addresses_of_its_subnet()
    {
        var layout = ClusterLayout.Of("198.18.4.0/30");

        (layout.HostAddress.ToString(), layout.NodeAddress.ToString(), layout.HostPrefixLength).ShouldBe(("198.18.4.1", "198.18.4.2", 30));
    }

    [Theory]
    [InlineData("198.18.0.0/31")]
    [InlineData("198.18.0.1")]
    [InlineData("fd00::/64")]
    [InlineData("nonsense")]
    public void Layout_of_an_unfit_subnet_is_refused(string subnet) => Should.Throw<FormatException>(() => ClusterLayout.Of(subnet));

    [Fact]
    public void Released_pod_address_is_not_given_out_again_at_once()
    {
        var addresses = new PodAddresses();
        var first = addresses.Take();
        addresses.Release(first);

        addresses.Take().ShouldNotBe(first);
        first.ToString().ShouldBe("10.244.0.2");
    }

    [Fact]
    public void Pod_addresses_come_round_and_run_out()
    {
        var addresses = new PodAddresses();
        var all = Enumerable.Range(0, 65533).Select(_ => addresses.Take().ToString()).ToHashSet();
        all.Count.ShouldBe(65533);
        all.ShouldNotContain("10.244.0.1");

        Should.Throw<InvalidOperationException>(() => addresses.Take());
        addresses.Release(System.Net.IPAddress.Parse("10.244.7.7"));
        addresses.Take().ToString().ShouldBe("10.244.7.7");
    }

    [Fact]
    public void Link_name_fits_the_kernels_limit_and_tells_sandboxes_apart()
    {
        HostLink.NameOf(new string('x', 200)).Length.ShouldBeLessThanOrEqualTo(15);
        HostLink.NameOf("a").ShouldNotBe(HostLink.NameOf("b"));
    }
}
