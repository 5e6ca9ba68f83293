using System.Text.RegularExpressions;
using Fairlead.Contracts.Cluster;
using FsCheck;
using FsCheck.Fluent;

namespace Fairlead.Tests.Contracts.Cluster;

public sealed class GlobTests
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
    public void Pattern_matches_as_people_expect(string pattern, string text, bool expected) => Glob.IsMatch(pattern, text).ShouldBe(expected);

    [Fact]
    public void Any_pattern_agrees_with_a_regular_expression()
    {
        var text = Gen.Elements('a', 'b', '-').ArrayOf().Select(c => new string(c));
        var pattern = Gen.Elements('a', 'b', '*', '?').ArrayOf().Select(c => new string(c));
        Prop.ForAll(Arb.From(pattern), Arb.From(text), (p, t) =>
            Glob.IsMatch(p, t) == Regex.IsMatch(t, "^" + Regex.Escape(p).Replace("\\*", ".*").Replace("\\?", ".") + "$", RegexOptions.NonBacktracking)).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Hostile_pattern_is_quick() =>
        Glob.IsMatch(string.Concat(Enumerable.Repeat("a*", 30)) + "b", new string('a', 63)).ShouldBeFalse();
}
