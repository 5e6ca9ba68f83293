using Fairlead.Linux.Firewall;
using Fairlead.Platform;

namespace Fairlead.Tests.Linux.Firewall;

public sealed class EgressRulesTests
{
    private const string Lo = """{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "lo"}}, {"accept": null}""";
    private const string Jump = """{"jump": {"target": "more"}}""";
    private const string Established = """{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}""";

    [Fact]
    public void Chain_that_drops_all_but_the_vpn_is_named() => Find("drop", Lo, Established, """{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "tun0"}}, {"accept": null}""")
        .ShouldBe(["inet k out: its policy is drop, and no rule of it lets our device out"]);

    [Theory]
    [InlineData("""{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "fairlead*"}}, {"accept": null}""")]
    [InlineData("""{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": {"set": ["tun0", "fairlead0"]}}}, {"accept": null}""")]
    [InlineData("""{"counter": {"packets": 0, "bytes": 0}}, {"accept": null}""")]
    public void Chain_that_lets_our_device_out_is_not(string rule) => Find("drop", Lo, rule).ShouldBeEmpty();

    [Fact]
    public void Kill_switch_of_wg_quick_is_named_with_its_device() => Find("accept", """
        {"match": {"op": "!=", "left": {"meta": {"key": "oifname"}}, "right": "wg0"}}, {"match": {"op": "!=", "left": {"meta": {"key": "mark"}}, "right": 51820}},
        {"match": {"op": "!=", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}, {"reject": {"type": "icmp", "expr": "port-unreachable"}}
        """).ShouldBe(["inet k out: it refuses what leaves by another device than wg0"]);

    [Fact]
    public void Rule_for_some_destinations_only_is_no_kill_switch() =>
        Find("accept", """{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "192.0.2.1"}}, {"drop": null}""").ShouldBeEmpty();

    [Fact]
    public void Jump_is_followed_and_a_loop_of_jumps_ends() => EgressRules.FindBlocks(
        $"{{\"nftables\": [{Chain("drop")}, {Rule("out", Jump)}, {Rule("more", Jump + ", {\"accept\": null}")}]}}", "fairlead0").ShouldBeEmpty();

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"nftables": [{"rule": {"expr": 5}}, {"chain": {"hook": "output", "type": "filter"}}]}""")]
    public void Something_else_is_refused(string text) => Should.Throw<HostException>(() => EgressRules.FindBlocks(text, "fairlead0"));

    private static IEnumerable<string> Find(string policy, params string[] rules) =>
        EgressRules.FindBlocks($"{{\"nftables\": [{{\"metainfo\": {{}}}}, {Chain(policy)}, {string.Join(", ", rules.Select(rule => Rule("out", rule)))}]}}", "fairlead0").Select(block => $"{block.Chain}: {block.Why}");

    private static string Chain(string policy) => $$$"""{"chain": {"family": "inet", "table": "k", "name": "out", "type": "filter", "hook": "output", "policy": "{{{policy}}}"}}""";

    private static string Rule(string chain, string expressions) => $$$"""{"rule": {"family": "inet", "table": "k", "chain": "{{{chain}}}", "expr": [{{{expressions}}}]}}""";
}
