using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Policy;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class RightsTests
{
    [Fact]
    public void Rights_no_grant_allows_nothing()
    {
        var rights = new GrantSet([]).Of("invite:alice", "team");
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
        var rights = grants.Of("invite:alice", "team");
        rights.MayConsume("shop", "frontend").ShouldBeTrue();
        rights.MayConsume("shop", "orders").ShouldBeFalse();
        rights.MayConsume("dev-1", "anything").ShouldBeTrue();
        rights.MayConsume("prod", "anything").ShouldBeFalse();
        grants.Of("invite:alice", null).MayConsume("dev-1", "anything").ShouldBeFalse();
    }

    [Fact]
    public void Rights_group_of_the_same_name_as_a_user_is_not_that_user()
    {
        var grants = new GrantSet([new GrantSpec(["invite-group:alice"], [new GrantRule(["shop"])])]);
        grants.Of("invite:alice", null).MayConsume("shop", "frontend").ShouldBeFalse();
    }

    [Fact]
    public void Rights_rule_with_another_verb_does_not_consume() =>
        new Rights([new GrantRule(["shop"], ["*"], ["attach"])]).MayConsume("shop", "frontend").ShouldBeFalse();

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
