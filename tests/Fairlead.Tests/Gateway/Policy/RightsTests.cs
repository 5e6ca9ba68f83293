using System.Text.RegularExpressions;
using Fairlead.Contracts.Cluster;
using Fairlead.Gateway.Policy;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Gateway.Policy;

public sealed class RightsTests
{
    [Theory]
    [InlineData("shop", "shop", true)]
    [InlineData("shop", "shops", false)]
    [InlineData("dev-*", "dev-", true)]
    [InlineData("dev-*", "dev-a", true)]
    [InlineData("dev-*", "prod-dev-a", false)]
    [InlineData("*", "anything", true)]
    [InlineData("a*b*c", "aXbYc", true)]
    [InlineData("a*b*c", "aXcYb", false)]
    [InlineData("?b", "ab", true)]
    [InlineData("?b", "b", false)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("**", "", true)]
    public void Glob_pattern_matches_as_people_expect(string pattern, string text, bool expected) => Glob.IsMatch(pattern, text).ShouldBe(expected);

    [Fact]
    public void Glob_any_pattern_agrees_with_a_regular_expression()
    {
        var text = Gen.Elements('a', 'b', '-').ArrayOf().Select(c => new string(c));
        var pattern = Gen.Elements('a', 'b', '*', '?').ArrayOf().Select(c => new string(c));
        Prop.ForAll(Arb.From(pattern), Arb.From(text), (p, t) =>
            Glob.IsMatch(p, t) == Regex.IsMatch(t, "^" + Regex.Escape(p).Replace("\\*", ".*").Replace("\\?", ".") + "$", RegexOptions.NonBacktracking)).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Glob_hostile_pattern_is_quick() =>
        Glob.IsMatch(string.Concat(Enumerable.Repeat("a*", 30)) + "b", new string('a', 63)).ShouldBeFalse();

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
