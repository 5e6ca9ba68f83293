using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Names;

namespace Fairlead.Tests.Daemon.Names;

public sealed class RuleSetTests
{
    private static readonly ServiceRecord Frontend = Service("shop", "frontend", 80, 8080);

    [Theory]
    [InlineData("shop/frontend", "80 8080")]
    [InlineData("shop/*", "80 8080")]
    [InlineData("*/*", "80 8080")]
    [InlineData("*/front*", "80 8080")]
    [InlineData("sh?p/f*t*d", "80 8080")]
    [InlineData("shop/frontend:8080", "8080")]
    [InlineData("shop/frontend:9", null)]
    [InlineData("other/*", null)]
    [InlineData("shop/front", null)]
    [InlineData("shop/frontendx*", null)]
    [InlineData("shop/* !shop/frontend", null)]
    [InlineData("!shop/frontend shop/*", "80 8080")]
    [InlineData("shop/* !shop/frontend:80", "8080")]
    [InlineData("shop/* !shop/frontend:80 shop/frontend:80", "80 8080")]
    [InlineData("shop/frontend:80 !shop/frontend", null)]
    [InlineData("!*/* shop/frontend:80", "80")]
    [InlineData("shop/frontend:80 !shop/frontend:80", null)]
    [InlineData("shop/* !*/*:8080", "80")]
    [InlineData("", null)]
    public void Select_last_match_decides_each_port(string rules, string? ports)
    {
        var selected = RuleSet.Parse(rules.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(Frontend);
        (selected is null ? null : string.Join(' ', selected.Ports.Select(port => port.Port))).ShouldBe(ports);
    }

    [Fact]
    public void Select_service_without_ports_takes_every_port_but_those_excluded()
    {
        var external = new ServiceRecord("shop", "mail", ServiceKind.ExternalName, [], []);
        var selected = RuleSet.Parse(["shop/*", "!shop/mail:25"]).Select(external).ShouldNotBeNull();
        selected.Any.ShouldBeTrue();
        selected.Except.ShouldBe([25]);
    }

    [Fact]
    public void Select_service_without_ports_takes_ports_that_rules_name()
    {
        var external = new ServiceRecord("shop", "mail", ServiceKind.ExternalName, [], []);
        var selected = RuleSet.Parse(["shop/mail:25"]).Select(external).ShouldNotBeNull();
        selected.Any.ShouldBeFalse();
        selected.Ports.ShouldBe([new("", 25, TransportProtocol.Tcp), new("", 25, TransportProtocol.Udp)]);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("!", "empty")]
    [InlineData("frontend", "'frontend' has no namespace")]
    [InlineData("/frontend", "the namespace is empty")]
    [InlineData("shop/", "the service is empty")]
    [InlineData("shop/frontend:", "'' is not a port")]
    [InlineData("shop/frontend:http", "'http' is not a port")]
    [InlineData("shop/frontend:0", "'0' is not a port")]
    [InlineData("shop/frontend:65536", "'65536' is not a port")]
    [InlineData("shop/frontend:-1", "'-1' is not a port")]
    [InlineData("Shop/frontend", "'Shop' has upper-case letters")]
    [InlineData("shop/a b", "' ' can't be part of the service 'a b'")]
    [InlineData("shop/a/b", "'/' can't be part of the service 'a/b'")]
    [InlineData("shop/a.b", "'.' can't be part of the service 'a.b'")]
    [InlineData("!!shop/a", "'!' can't be part of the namespace '!shop'")]
    [InlineData("shop/a\nb", "'\n' can't be part of the service")]
    public void Parse_nonsense_names_the_token(string rule, string why)
    {
        var error = Should.Throw<FairleadException>(() => ConsumeRule.Parse(rule)).Error;
        error.Category.ShouldBe(ErrorCategory.Usage);
        error.Code.ShouldBe("rule-invalid");
        error.Why.ShouldNotBeNull().ShouldContain(why);
    }

    [Fact]
    public void Parse_pattern_longer_than_a_label_is_refused() =>
        Should.Throw<FairleadException>(() => ConsumeRule.Parse("shop/" + new string('a', 64))).Error.Why!.ShouldContain("63");

    [Fact]
    public void Change_adds_at_the_end_and_moves_what_was_there() =>
        RuleSet.Parse(["a/a", "b/b"]).Change(["a/a", "c/c"], null, null).Texts.ShouldBe(["b/b", "a/a", "c/c"]);

    [Fact]
    public void Change_removes_by_text() => RuleSet.Parse(["a/a", "!b/b"]).Change(null, ["!b/b"], null).Texts.ShouldBe(["a/a"]);

    [Fact]
    public void Change_removing_what_is_not_there_is_told() =>
        Should.Throw<FairleadException>(() => RuleSet.Parse(["a/a"]).Change(null, ["b/b"], null)).Error.Code.ShouldBe("rule-unknown");

    [Fact]
    public void Change_replaces_all() => RuleSet.Parse(["a/a"]).Change(null, null, ["b/b", "b/b"]).Texts.ShouldBe(["b/b"]);

    [Fact]
    public void Parse_more_rules_than_are_kept_is_refused() =>
        Should.Throw<FairleadException>(() => RuleSet.Parse(Enumerable.Range(0, RuleSet.MaxRules + 1).Select(i => $"a/a{i}"))).Error.Code.ShouldBe("rules-too-many");

    private static ServiceRecord Service(string ns, string name, params int[] ports) =>
        new(ns, name, ServiceKind.ClusterIP, [.. ports.Select(port => new ServicePort("", port, TransportProtocol.Tcp))], []);
}
