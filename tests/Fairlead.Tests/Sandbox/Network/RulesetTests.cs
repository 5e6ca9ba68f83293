using Fairlead.Sandbox.Network;

namespace Fairlead.Tests.Sandbox.Network;

public sealed class RulesetTests
{
    [Fact]
    public void New_service_makes_its_drawing_chain_once_and_its_elements()
    {
        var chains = new HashSet<string>();
        var rules = new ServiceRules([ServiceRulesTests.Port("udp", "10.244.0.2", "10.244.0.3")]);

        var script = Ruleset.Change([(ServiceRules.None, rules)], chains);

        script.ShouldBe("""
            add chain ip fairlead random2
            add rule ip fairlead random2 meta mark set numgen random mod 2
            add rule ip fairlead random2 goto pick
            add element ip fairlead services { 10.96.0.9 . udp . 53 : goto random2 }
            add element ip fairlead endpoints { 10.96.0.9 . udp . 53 . 0 : 10.244.0.2 . 53,
              10.96.0.9 . udp . 53 . 1 : 10.244.0.3 . 53 }
            add element ip fairlead hairpin { 10.244.0.2 . 10.244.0.2,
              10.244.0.3 . 10.244.0.3 }

            """);
        chains.ShouldBe(["random2"]);
        Ruleset.Change([(ServiceRules.None, rules)], chains).ShouldNotContain("add chain");
    }

    [Fact]
    public void Changed_service_loses_its_old_elements_before_it_gets_the_new_ones()
    {
        var before = new ServiceRules([ServiceRulesTests.Port("udp", "10.244.0.2")]);
        var after = new ServiceRules([ServiceRulesTests.Port("udp", "10.244.0.3")]);

        var lines = Ruleset.Change([(before, after)], new HashSet<string> { "random1" }).Split('\n');

        lines[0].ShouldBe("delete element ip fairlead services { 10.96.0.9 . udp . 53 }");
        lines[1].ShouldBe("delete element ip fairlead endpoints { 10.96.0.9 . udp . 53 . 0 }");
        lines[2].ShouldBe("add element ip fairlead services { 10.96.0.9 . udp . 53 : goto random1 }");
    }

    [Fact]
    public void Unchanged_service_changes_nothing()
    {
        var rules = new ServiceRules([ServiceRulesTests.Port("udp", "10.244.0.2")]);
        var same = new ServiceRules([ServiceRulesTests.Port("udp", "10.244.0.2")]);

        Ruleset.Change([(rules, same)], new HashSet<string>()).ShouldBeEmpty();
    }

    [Fact]
    public void Sticky_service_draws_by_the_address_of_its_client()
    {
        var rules = new ServiceRules([ServiceRulesTests.Port("tcp", "10.244.0.2", "10.244.0.3") with { Sticky = true }]);

        Ruleset.Change([(ServiceRules.None, rules)], new HashSet<string>()).ShouldContain("add rule ip fairlead sticky2 meta mark set jhash ip saddr mod 2\n");
    }
}
