using Fairlead.Contracts.Errors;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class ConnectVerbTests
{
    private const string Plan = """
        {"space":"team","inForce":true,"at":"2026-01-02T03:04:05Z","cause":"route 10.0.0.0/8 dev tun0 came","warnings":[],"refusal":null,"virtual":"246.246.0.0/16","entries":[
          {"prefix":"10.96.0.0/16","action":"Virtual","owner":"fairlead0","as":"246.246.0.0/16","via":null,"reason":"services of the cluster; overlaps 10.0.0.0/8 dev tun0","conflict":"10.0.0.0/8 dev tun0"},
          {"prefix":"10.244.0.0/16","action":"Routed","owner":"fairlead0","as":null,"via":"shop/deployment/echo","reason":"pods of the cluster","conflict":null}]}
        """;

    private const string State = $$"""{"connected":true,"space":"team","device":"fairlead0","since":"2026-01-02T03:04:05Z","plan":{{Plan}},"problem":null}""";

    [Fact]
    public async Task Connect_sends_every_flag_and_shows_the_plan_aligned()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/connect", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, [
            "connect", "-n", "shop", "--mapped-namespaces", "shop,dev", "--also-proxy", "172.20.0.0/16", "--also-proxy", "172.21.0.0/16", "--never-proxy", "10.96.0.9/32",
            "--allow-conflicting-subnets", "10.128.0.0/9", "--proxy-via", "127.0.0.1/32=echo", "--vnat", "service"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldBe("""
            POST /v1/connect {"namespace":"shop","mappedNamespaces":["shop","dev"],"alsoProxy":["172.20.0.0/16","172.21.0.0/16"],"neverProxy":["10.96.0.9/32"],"allowConflicting":["10.128.0.0/9"],"proxyVia":[{"subnet":"127.0.0.1/32","workload":"echo"}],"vnat":["service"]}
            """);
        outcome.Out.ShouldBe("""
            Connected to space team by fairlead0.

            PREFIX         OWNER/VIA                             AS              REASON
            10.96.0.0/16   fairlead0                             246.246.0.0/16  services of the cluster; overlaps 10.0.0.0/8 dev tun0
            10.244.0.0/16  fairlead0, from shop/deployment/echo  -               pods of the cluster

            """);
    }

    [Fact]
    public async Task Plan_says_whether_it_is_in_force_and_what_made_it()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/plan", Plan);
        (await CommandLineRunner.RunAsync(daemon.Socket, ["plan"])).Out.ShouldStartWith("Connected: space team, 03:04:05, route 10.0.0.0/8 dev tun0 came\n");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["plan", "-o", "yaml"])).Out.ShouldContain("as: \"246.246.0.0/16\"");
    }

    [Fact]
    public async Task Word_without_dashes_is_no_command()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["connect", "frontend"]);
        outcome.ExitCode.ShouldBe((int)ErrorCategory.Usage);
        outcome.Error.ShouldContain("fairlead connect -- frontend");
    }

    [Fact]
    public async Task Exit_without_a_workload_is_a_usage_error()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["connect", "--proxy-via", "10.0.0.0/8"]);
        outcome.ExitCode.ShouldBe((int)ErrorCategory.Usage);
        outcome.Error.ShouldContain("a subnet and a workload with = between them");
    }

    [Theory]
    [InlineData("disconnect")]
    [InlineData("quit")]
    public async Task Disconnect_has_two_names(string verb)
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("DELETE", "/v1/connect", "");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, [verb]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldStartWith("DELETE /v1/connect");
    }

    [Fact]
    public async Task Command_ends_the_connection_that_was_made_for_it_and_leaves_one_that_was_there()
    {
        await using var daemon = (await FakeDaemon.StartAsync())
            .Answers("GET", "/v1/connect", State.Replace("\"connected\":true", "\"connected\":false")).Answers("POST", "/v1/connect", State).Answers("DELETE", "/v1/connect", "");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["connect", "--", "sh", "-c", "exit 7"])).ExitCode.ShouldBe(7);
        daemon.Asked.Select(asked => asked.Split(' ')[0]).ShouldBe(["GET", "POST", "DELETE"]);

        await using var connected = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/connect", State).Answers("POST", "/v1/connect", State);
        (await CommandLineRunner.RunAsync(connected.Socket, ["connect", "--", "true"])).ExitCode.ShouldBe(0);
        connected.Asked.Select(asked => asked.Split(' ')[0]).ShouldBe(["GET", "POST"]);
    }
}
