using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Plan;

namespace Fairlead.Tests.Daemon.Plan;

public sealed class WishReaderTests
{
    private static readonly ClusterSubnets Cluster = new(Laptop.Prefixes("10.96.0.0/16"), Laptop.Prefixes("10.244.0.0/16"));

    private static readonly Dictionary<string, string> Exits = new() { ["echo"] = "shop/deployment/echo", ["db"] = "shop/statefulset/db" };

    [Theory]
    [InlineData("10.0.0.1/8", "it has bits set beyond its length; '10.0.0.0/8' has none")]
    [InlineData("10.0.0.0", "it is not a network such as '10.0.0.0/8' or 'fd00::/8'")]
    [InlineData("10.0.0.0/33", "it is not a network such as '10.0.0.0/8' or 'fd00::/8'")]
    [InlineData("fe80::1%1/64", "it is not a network such as '10.0.0.0/8' or 'fd00::/8'")]
    [InlineData("0.0.0.0/0", "it is half of all addresses or more, and would leave nothing to this host")]
    [InlineData("127.0.0.0/8", "these addresses are this host's own")]
    [InlineData("224.0.0.0/4", "multicast can't be carried")]
    public void Subnet_that_makes_no_sense_is_refused(string text, string why)
    {
        var error = Should.Throw<FairleadException>(() => Read(new ConnectRequest(AlsoProxy: [text]))).Error;
        (error.Category, error.Code, error.Why).ShouldBe((ErrorCategory.Usage, "subnet-invalid", why));
    }

    [Fact]
    public void Symbols_stand_for_their_subnets()
    {
        Read(new ConnectRequest(Vnat: ["service"])).Virtual.Select(wish => wish.Subnet).ShouldBe(Laptop.Prefixes("10.96.0.0/16"));
        Read(new ConnectRequest(AlsoProxy: ["172.20.0.0/16"], Vnat: ["all"])).Virtual.Select(wish => wish.Subnet).ShouldBe(Laptop.Prefixes("10.96.0.0/16", "10.244.0.0/16", "172.20.0.0/16"));
        Read(new ConnectRequest(AlsoProxy: ["172.20.0.0/16"], ProxyVia: [new("also", "echo")])).Virtual.Single().Via.ShouldBe("shop/deployment/echo");
    }

    [Fact]
    public void Symbol_that_stands_for_nothing_is_refused() =>
        Should.Throw<FairleadException>(() => Read(new ConnectRequest(ProxyVia: [new("also", "echo")]))).Error.Why.ShouldBe("no subnet is also proxied");

    [Fact]
    public void Overlapping_exits_by_different_workloads_are_refused()
    {
        Should.Throw<FairleadException>(() => Read(new ConnectRequest(ProxyVia: [new("10.0.0.0/8", "echo"), new("10.1.0.0/16", "db")]))).Error.Why.ShouldBe("it overlaps 10.0.0.0/8, which is to leave from shop/deployment/echo");
        Read(new ConnectRequest(ProxyVia: [new("10.0.0.0/8", "echo"), new("10.1.0.0/16", "echo")])).Virtual.Count.ShouldBe(2);
    }

    [Fact]
    public void Flag_wins_over_the_option_that_says_the_opposite()
    {
        var wishes = Read(new ConnectRequest(AlsoProxy: ["10.5.0.0/16"]), WishOptions.None with { NeverProxy = "10.4.0.0/15" });
        wishes.Never.Select(wish => wish.Subnet).ShouldBe(Laptop.Prefixes("10.4.0.0/16"));
        wishes.Never[0].Source.ShouldBe("option never-proxy-subnets");
    }

    private static PlanWishes Read(ConnectRequest request, WishOptions? options = null) => WishReader.Read(options ?? WishOptions.None, request, Cluster, Exits);
}
