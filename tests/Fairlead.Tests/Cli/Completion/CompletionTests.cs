using Fairlead.Contracts.Text;

namespace Fairlead.Tests.Cli.Completion;

public sealed class CompletionTests
{
    private const string Services = """
        {"space":"team","services":[
          {"service":{"namespace":"shop","name":"frontend","kind":"ClusterIP","ports":[],"endpoints":[]},"consumed":false},
          {"service":{"namespace":"shop","name":"redis","kind":"ClusterIP","ports":[],"endpoints":[]},"consumed":false},
          {"service":{"namespace":"dev","name":"api","kind":"ClusterIP","ports":[],"endpoints":[]},"consumed":false}]}
        """;

    [Fact]
    public async Task Completion_of_a_verb_needs_no_daemon() =>
        (await SuggestAsync(null, "fairlead cons")).ShouldBe(["consume"]);

    [Fact]
    public async Task Completion_of_a_rule_offers_namespaces_then_services()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/services", Services);
        (await SuggestAsync(daemon.Socket, "fairlead consume sh")).ShouldBe(["shop/*"]);
        (await SuggestAsync(daemon.Socket, "fairlead consume shop/")).ShouldBe(["shop/*", "shop/frontend", "shop/redis"], ignoreOrder: true);
        (await SuggestAsync(daemon.Socket, "fairlead consume !dev/")).ShouldBe(["!dev/*", "!dev/api"], ignoreOrder: true);
    }

    [Fact]
    public async Task Completion_of_a_rule_without_a_daemon_offers_nothing_and_says_nothing()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["[suggest:21]", "fairlead consume shop"]);
        outcome.Out.Trim().ShouldBeEmpty();
        outcome.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task Completion_offers_options_once_a_dash_is_typed()
    {
        (await SuggestAsync(null, "fairlead space ")).ShouldBe(["grants", "invite", "list", "revoke", "show", "use"], ignoreOrder: true);
        (await SuggestAsync(null, "fairlead status --w")).ShouldBe(["--watch"]);
        (await SuggestAsync(null, "fairlead version ")).ShouldAllBe(word => word.StartsWith('-'));
    }

    [Fact]
    public async Task Completion_of_an_output_format_offers_the_three() =>
        (await SuggestAsync(null, "fairlead status -o ")).ShouldBe(["table", "json", "yaml"], ignoreOrder: true);

    [Theory]
    [InlineData("bash", "complete ")]
    [InlineData("zsh", "compdef")]
    [InlineData("fish", "complete -c fairlead")]
    [InlineData("pwsh", "Register-ArgumentCompleter")]
    public async Task Completion_script_of_a_shell_registers_itself(string shell, string registers)
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["completion", shell]);
        outcome.ExitCode.ShouldBe(0);
        outcome.Out.ShouldContain(registers);
    }

    [Theory]
    [InlineData("statsu", "status")]
    [InlineData("jion", "join")]
    [InlineData("consume", "consume")]
    [InlineData("frobnicate", null)]
    public void Spelling_finds_what_is_near(string word, string? meant) =>
        Spelling.Closest(word, ["start", "status", "join", "consume"]).ShouldBe(meant);

    private static async Task<string[]> SuggestAsync(string? socket, string line)
    {
        var outcome = await CommandLineRunner.RunAsync(socket, [$"[suggest:{line.Length}]", line]);
        return outcome.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
