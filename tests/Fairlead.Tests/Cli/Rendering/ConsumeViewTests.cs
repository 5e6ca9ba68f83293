using Fairlead.Cli.Rendering;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tests.Cli.Rendering;

public sealed class ConsumeViewTests
{
    [Fact]
    public void Names_that_continue_a_shorter_one_are_in_brackets() =>
        ConsumeView.Names(["frontend.shop", "frontend.shop.svc", "frontend.shop.svc.cluster.local"]).ShouldBe("frontend.shop (.svc .svc.cluster.local)");

    [Fact]
    public void Names_with_a_bare_one_keep_it_apart() =>
        ConsumeView.Names(["frontend", "frontend.shop", "frontend.shop.svc"]).ShouldBe("frontend, frontend.shop (.svc)");

    [Fact]
    public void Names_of_single_endpoints_are_groups_of_their_own() =>
        ConsumeView.Names(["db.shop", "db.shop.svc", "db-0.db.shop", "db-0.db.shop.svc"]).ShouldBe("db.shop (.svc), db-0.db.shop (.svc)");

    [Fact]
    public void Names_that_only_begin_alike_are_not_joined() =>
        ConsumeView.Names(["a.shop", "a.shopping"]).ShouldBe("a.shop, a.shopping");

    [Fact]
    public void Ports_name_udp_and_leave_tcp_unsaid() =>
        ConsumeView.Ports([new ServicePort("tcp", 7, TransportProtocol.Tcp), new ServicePort("udp", 7, TransportProtocol.Udp)]).ShouldBe("7, 7/udp");

    [Fact]
    public void Ports_of_a_service_without_any_are_all() => ConsumeView.Ports([]).ShouldBe("any");
}
