using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class RightsTests
{
    [Fact]
    public void Rights_no_grant_allows_nothing()
    {
        var rights = new GrantSet([]).Of(Invited("team"));
        rights.MayConsume("shop", "frontend").ShouldBeFalse();
        rights.MayResolveForeignNames.ShouldBeFalse();
    }

    [Fact]
    public void Rights_of_subject_and_group_add_up()
    {
        var grants = new GrantSet(
        [
            new GrantSpec(["invite:alice"], [new GrantRule(["shop"], ["frontend"])]),
            new GrantSpec(["invite-group:team"], [new GrantRule(["dev-*"])]),
            new GrantSpec(["invite:bob"], [new GrantRule(["*"])]),
        ]);
        var rights = grants.Of(Invited("team"));
        rights.MayConsume("shop", "frontend").ShouldBeTrue();
        rights.MayConsume("shop", "orders").ShouldBeFalse();
        rights.MayConsume("dev-1", "anything").ShouldBeTrue();
        rights.MayConsume("prod", "anything").ShouldBeFalse();
        grants.Of(Invited(null)).MayConsume("dev-1", "anything").ShouldBeFalse();
    }

    [Fact]
    public void Rights_group_of_the_same_name_as_a_user_is_not_that_user()
    {
        var grants = new GrantSet([new GrantSpec(["invite-group:alice"], [new GrantRule(["shop"])])]);
        grants.Of(Invited(null)).MayConsume("shop", "frontend").ShouldBeFalse();
    }

    [Fact]
    public void Rights_of_a_kubernetes_user_come_from_its_name_and_every_group_of_it()
    {
        var grants = new GrantSet(
        [
            new GrantSpec(["k8s:alice"], [new GrantRule(["shop"])]),
            new GrantSpec(["k8s-group:devs"], [new GrantRule(["dev-*"])]),
            new GrantSpec(["k8s-group:ops"], [new GrantRule(["ops"])]),
            new GrantSpec(["invite:alice", "invite-group:devs"], [new GrantRule(["prod"])]),
        ]);
        var rights = grants.Of(new PeerIdentity("k8s:alice", default, default, null, new KubernetesAccount("alice", null, ["devs", "ops", "devs"], new Dictionary<string, IReadOnlyList<string>>())));
        new[] { "shop", "dev-1", "ops", "prod" }.Select(ns => rights.MayConsume(ns, "x")).ShouldBe([true, true, true, false]);
        grants.Of(Invited("ops")).MayConsume("ops", "x").ShouldBeFalse();
    }

    private static PeerIdentity Invited(string? group) => new("invite:alice", default, default, group);

    [Fact]
    public void Rights_rule_with_another_verb_does_not_consume() =>
        new Rights([new GrantRule(["shop"], ["*"], ["attach"])]).MayConsume("shop", "frontend").ShouldBeFalse();

    [Fact]
    public void Rights_attach_is_a_verb_of_its_own_and_matches_names_of_workloads()
    {
        var rights = new Rights([new GrantRule(["dev-*"], ["egress*"], ["attach"]), new GrantRule(["shop"])]);
        rights.MayAttach("dev-1", "egress-vpn").ShouldBeTrue();
        rights.MayAttach("dev-1", "orders").ShouldBeFalse();
        rights.MayAttach("shop", "egress").ShouldBeFalse();
        rights.AttachDenial(new("shop", "egress")).ShouldBe("no grant to attach to shop/egress");
        Rights.None.MayAttach("dev-1", "egress").ShouldBeFalse();
    }

    [Fact]
    public void Rights_tell_their_rules_but_none_that_grants_nothing() =>
        new Rights([new GrantRule(["shop"]), new GrantRule(["dev"], Cidrs: ["nonsense"])]).Rules.ShouldHaveSingleItem().Namespaces.ShouldBe(["shop"]);

    [Fact]
    public void Rights_rule_with_a_damaged_cidr_grants_nothing() =>
        new Rights([new GrantRule(["shop"], ["*"], ["consume"], ["10.0.0.0/99"])]).MayConsume("shop", "frontend").ShouldBeFalse();

    [Fact]
    public void Rights_foreign_names_need_dns_for_everything()
    {
        new Rights([new GrantRule(["shop"], ["*"], ["dns"])]).MayResolveForeignNames.ShouldBeFalse();
        new Rights([new GrantRule(["*"], ["*"], ["consume"])]).MayResolveForeignNames.ShouldBeFalse();
        new Rights([new GrantRule(["*"], ["*"], ["dns"])]).MayResolveForeignNames.ShouldBeTrue();
    }

    [Fact]
    public void Rights_fingerprint_tells_rights_apart_whatever_their_order()
    {
        GrantRule a = new(["a"]), b = new(["b"]);
        new Rights([a, b]).Fingerprint.ShouldBe(new Rights([b, a]).Fingerprint);
        new Rights([a]).Fingerprint.ShouldNotBe(new Rights([b]).Fingerprint);
    }
}
