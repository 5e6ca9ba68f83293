using System.Text.Json;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class ConsumeVerbTests
{
    private const string State = """
        {"space":"team","rules":["shop/*"],"warnings":["nobody answers to dev/*"],"services":[
          {"namespace":"shop","name":"frontend","kind":"ClusterIP","address":"127.72.0.1","names":["frontend.shop","frontend.shop.svc"],"ports":[{"name":"http","port":80,"protocol":"Tcp"}],"problem":null}]}
        """;

    [Fact]
    public async Task Consume_sends_rules_in_order_and_shows_the_table()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/consume", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "shop/*", "!shop/metrics"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldBe("""POST /v1/consume {"add":["shop/*","!shop/metrics"],"remove":null,"replace":null}""");
        outcome.Out.ShouldBe("""
            SERVICE        ADDRESS     PORTS  NAMES
            shop/frontend  127.72.0.1  80     frontend.shop

            """);
        outcome.Error.ShouldBe("Consuming shop/* !shop/metrics\nNames with a dot are known with .svc behind them, too.\nwarning: nobody answers to dev/*\n");
    }

    [Fact]
    public async Task Consume_remove_takes_rules_away_in_the_named_space()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/consume?space=other", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "--remove", "shop/*", "dev/*", "--space", "other"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldContain("\"remove\":[\"shop/*\",\"dev/*\"]");
    }

    [Fact]
    public async Task Consume_without_a_rule_is_a_usage_error_that_asks_nobody()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["consume"]);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("No rule was given");
    }

    [Fact]
    public async Task Consume_with_a_service_that_cannot_be_had_is_a_conflict_after_the_table()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/consume", State.Replace("\"problem\":null", "\"problem\":\"port 80 is taken by nginx (pid 7)\""));
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "shop/*"]);
        outcome.ExitCode.ShouldBe(5);
        outcome.Out.ShouldContain("shop/frontend");
        outcome.Error.ShouldContain("taken by nginx (pid 7)");
    }

    [Fact]
    public async Task Consume_apply_reads_rules_and_skips_comments()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/consume", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "apply", "-"], "# mine\r\nshop/*   # all\r\n\r\n!shop/metrics\n");
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldContain("\"replace\":[\"shop/*\",\"!shop/metrics\"]");
    }

    [Fact]
    public async Task Consume_apply_of_a_missing_file_is_a_usage_error()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["consume", "apply", "/nonexistent/rules"]);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("/nonexistent/rules");
    }

    [Fact]
    public async Task Consume_clear_replaces_the_rules_by_none()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/consume", """{"space":"team","rules":[],"services":[],"warnings":[]}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "clear"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        daemon.Asked.ShouldHaveSingleItem().ShouldContain("\"replace\":[]");
        outcome.Out.ShouldContain("Nothing of space team is consumed");
    }

    [Fact]
    public async Task Consume_edit_without_a_terminal_is_refused()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/consume", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "edit"]);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("no terminal");
    }

    [Fact]
    public async Task Consume_list_as_json_is_the_daemons_value()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/consume", State);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "list", "-o", "json"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        JsonElement.DeepEquals(JsonDocument.Parse(outcome.Out).RootElement, JsonDocument.Parse(State).RootElement).ShouldBeTrue();
    }

    [Fact]
    public async Task Consume_list_watched_as_json_is_one_line_for_each_change()
    {
        var line = JsonSerializer.Serialize(JsonDocument.Parse(State));
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/consume?watch=true", $"{line}\n{line}\n");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["consume", "list", "--watch", "-o", "json"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(2);
    }

    [Fact]
    public async Task Primary_namespace_is_set_and_cleared()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("PUT", "/v1/primary-namespace", "");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["primary-namespace", "set", "shop"])).ExitCode.ShouldBe(0);
        (await CommandLineRunner.RunAsync(daemon.Socket, ["primary-namespace", "clear"])).ExitCode.ShouldBe(0);
        daemon.Asked.ShouldBe(["""PUT /v1/primary-namespace {"namespace":"shop"}""", """PUT /v1/primary-namespace {"namespace":""}"""]);
    }
}
