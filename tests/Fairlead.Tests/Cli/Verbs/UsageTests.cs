using System.CommandLine;
using System.Text.Json;
using Fairlead.Cli;
using Fairlead.Cli.Verbs;
using Fairlead.Contracts.Errors;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class UsageTests
{
    public static TheoryData<string> EveryVerb()
    {
        var root = CommandLine.Build(CommandLineRunner.MakeHost(null, new FakeTerminal("", TextWriter.Null, TextWriter.Null, false)), new CommonOptions());
        return [.. Below(root).Select(CommandLine.CommandPath)];
    }

    [Theory]
    [MemberData(nameof(EveryVerb))]
    public async Task Help_of_a_verb_has_a_description_and_an_example_and_asks_nobody(string verb)
    {
        await using var daemon = await FakeDaemon.StartAsync();
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, [.. verb.Split(' ').Skip(1), "--help"]);
        daemon.Asked.ShouldBeEmpty();
        outcome.ExitCode.ShouldBe(0);
        outcome.Error.ShouldBeEmpty();
        outcome.Out.ShouldContain("Description:");
        outcome.Out.ShouldContain("--output");
        outcome.Out.ShouldContain("Examples:\n  ");
    }

    [Theory]
    [InlineData("status -o xml")]
    [InlineData("consme shop/*")]
    [InlineData("options get")]
    [InlineData("space")]
    [InlineData("logs --lines -1")]
    [InlineData("logs --lines ten")]
    [InlineData("completion tcsh")]
    [InlineData("gateway install --timeout soon")]
    [InlineData("gateway status -n Not_A_Namespace")]
    [InlineData("gateway install --reset-values")]
    [InlineData("space invite alice --expires soon")]
    [InlineData("space invite alice --uses 0")]
    [InlineData("sandbox up --with bakery")]
    [InlineData("version surplus")]
    public async Task Command_line_that_makes_no_sense_exits_with_2_and_names_the_help(string line)
    {
        var outcome = await CommandLineRunner.RunAsync(null, line.Split(' '));
        outcome.ExitCode.ShouldBe(2);
        outcome.Out.ShouldBeEmpty();
        outcome.Error.ShouldStartWith("error: ");
        outcome.Error.ShouldContain("--help");
    }

    [Theory]
    [InlineData(ErrorCategory.Failed, 1)]
    [InlineData(ErrorCategory.Usage, 2)]
    [InlineData(ErrorCategory.NotConnected, 3)]
    [InlineData(ErrorCategory.Denied, 4)]
    [InlineData(ErrorCategory.Conflict, 5)]
    [InlineData(ErrorCategory.TimedOut, 6)]
    public async Task Failure_exits_with_the_code_of_its_category(ErrorCategory category, int exitCode)
    {
        var body = "{\"error\":{\"category\":\"" + category + "\",\"code\":\"c\",\"message\":\"What failed\",\"why\":\"the reason\",\"hint\":\"fairlead doctor\"}}";
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/status", body, 500);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["status"]);
        outcome.ExitCode.ShouldBe(exitCode);
        outcome.Out.ShouldBeEmpty();
        outcome.Error.ShouldBe("error: What failed\n  why:  the reason\n  next: fairlead doctor\n");
    }

    [Fact]
    public async Task Failure_as_json_carries_code_message_why_and_hint()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["status", "-o", "json"]);
        outcome.ExitCode.ShouldBe(3);
        var error = JsonDocument.Parse(outcome.Error).RootElement;
        error.GetProperty("code").GetString().ShouldBe("daemon-not-running");
        error.GetProperty("message").GetString().ShouldBe("The daemon is not running");
        error.GetProperty("why").GetString().ShouldBe("nobody listens on /nonexistent/daemon.sock");
        error.GetProperty("hint").GetString().ShouldBe("sudo fairlead start");
        error.GetProperty("exitCode").GetInt32().ShouldBe(3);
    }

    [Fact]
    public async Task Failure_shows_a_stack_trace_only_when_verbose()
    {
        (await CommandLineRunner.RunAsync(null, ["status"])).Error.ShouldNotContain("   at ");
        (await CommandLineRunner.RunAsync(null, ["status", "--verbose"])).Error.ShouldContain("   at ");
    }

    [Fact]
    public async Task Defect_in_fairlead_is_told_as_one()
    {
        // The runner's sandbox throws what no verb expects.
        var outcome = await CommandLineRunner.RunAsync(null, ["sandbox", "status"]);
        outcome.ExitCode.ShouldBe(1);
        outcome.Error.ShouldContain("inside fairlead");
        outcome.Error.ShouldContain("sandbox status --verbose");
        outcome.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public void Kubectl_arguments_are_never_taken_for_ours()
    {
        CommandLine.PassThrough(["sandbox", "kubectl", "get", "pods", "-o", "wide"]).ShouldBe(["sandbox", "kubectl", "--", "get", "pods", "-o", "wide"]);
        CommandLine.PassThrough(["sandbox", "kubectl", "--help"]).ShouldBe(["sandbox", "kubectl", "--help"]);
        CommandLine.PassThrough(["status", "-o", "json"]).ShouldBe(["status", "-o", "json"]);
    }

    private static IEnumerable<Command> Below(Command command) => command.Subcommands.Where(c => !c.Hidden).SelectMany(c => Below(c).Prepend(c));
}
