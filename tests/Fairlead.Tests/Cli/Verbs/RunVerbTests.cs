namespace Fairlead.Tests.Cli.Verbs;

public sealed class RunVerbTests
{
    [Fact]
    public async Task Run_hands_the_command_over_as_it_is_and_ends_as_it_ends()
    {
        var run = new FakeRun { ExitCode = 7 };
        var outcome = await CommandLineRunner.RunAsync(null, ["run", "-n", "shop", "--space", "staging", "--", "curl", "-o", "file", "--", "-x"], run: run);

        outcome.ExitCode.ShouldBe(7);
        run.Command.ShouldBe(["curl", "-o", "file", "--", "-x"]);
        run.Request!.Space.ShouldBe("staging");
        run.Request.Namespace.ShouldBe("shop");
        run.Request.Consume.ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_with_rules_consumes()
    {
        var run = new FakeRun();
        (await CommandLineRunner.RunAsync(null, ["run", "--consume", "shop/*", "--consume", "!shop/metrics", "--", "true"], run: run)).ExitCode.ShouldBe(0);
        run.Request!.Consume.ShouldBe(["shop/*", "!shop/metrics"]);
    }

    [Theory]
    [InlineData("--net", "consume")]
    [InlineData("--net", "tun", "--consume", "shop/*")]
    [InlineData("--net", "bridge")]
    public async Task Run_with_options_that_contradict_each_other_is_a_usage_error(params string[] options) =>
        (await CommandLineRunner.RunAsync(null, ["run", .. options, "--", "true"], run: new FakeRun())).ExitCode.ShouldBe(2);

    [Fact]
    public async Task Run_without_a_command_is_a_usage_error() => (await CommandLineRunner.RunAsync(null, ["run"], run: new FakeRun())).ExitCode.ShouldBe(2);

    [Fact]
    public async Task Join_for_run_needs_no_daemon()
    {
        var run = new FakeRun();
        var outcome = await CommandLineRunner.RunAsync(null, ["join", "--for-run", "--kubeconfig", "/home/alice/config", "--context", "staging"], run: run);

        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("Joined space team as invite:alice.\n");
        outcome.Error.ShouldContain("fairlead run -- COMMAND");
        run.Joined!.Cluster!.Kubeconfig.ShouldBe("/home/alice/config");
        run.Joined.Cluster.Context.ShouldBe("staging");
    }

    [Fact]
    public async Task Leave_and_list_for_run_need_no_daemon()
    {
        var run = new FakeRun();
        (await CommandLineRunner.RunAsync(null, ["leave", "--for-run"], run: run)).ExitCode.ShouldBe(0);
        run.Left.ShouldBe("team");
        (await CommandLineRunner.RunAsync(null, ["space", "list", "--for-run"], run: run)).Out.ShouldContain("invite:alice");
    }
}
