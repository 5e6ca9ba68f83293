using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;

namespace Fairlead.Tests.Daemon.Names;

public sealed class ServiceNamesTests
{
    [Fact]
    public void Of_space_in_use_has_the_cluster_s_names() =>
        new ServiceNames("cluster.local", null, null).Of("shop", "frontend").ShouldBe(["frontend.shop", "frontend.shop.svc", "frontend.shop.svc.cluster.local"]);

    [Fact]
    public void Of_primary_namespace_has_the_bare_name_too() =>
        new ServiceNames("cluster.local", "shop", null).Of("shop", "frontend")[0].ShouldBe("frontend");

    [Fact]
    public void Of_other_space_ends_in_its_name() =>
        new ServiceNames("cluster.local", "shop", "staging").Of("shop", "db-0.db")
            .ShouldBe(["db-0.db.staging", "db-0.db.shop.staging", "db-0.db.shop.svc.staging", "db-0.db.shop.svc.cluster.local.staging"]);

    [Theory]
    [InlineData("shop", "frontend", true)]
    [InlineData("shop", "a\n10.0.0.1 bank.com", false)]
    [InlineData("shop", "-a", false)]
    [InlineData("Shop", "a", false)]
    [InlineData("shop", "", false)]
    [InlineData("shop", "a.b", false)]
    public void AreValid_only_labels_reach_the_hosts_file(string ns, string name, bool valid) =>
        ServiceNames.AreValid(new ServiceRecord(ns, name, ServiceKind.ClusterIP, [], [])).ShouldBe(valid);

    [Theory]
    [InlineData("api.dev", true)]
    [InlineData("frontend.shop", true)]
    [InlineData("api.io", true)]
    [InlineData("api.de", true)]
    [InlineData("api.my-team", false)]
    [InlineData("api.dev.svc", false)]
    [InlineData("api", false)]
    public void PublicDomains_two_labels_can_be_public(string name, bool shadows) => PublicDomains.Shadow(name).ShouldBe(shadows);
}
