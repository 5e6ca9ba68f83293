using Fairlead.Contracts.Administration;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class GatewayVerbTests
{
    private readonly FakeAdministration administration = new();

    [Fact]
    public async Task Dry_run_prints_documents_and_changes_nothing()
    {
        var outcome = await RunAsync("gateway", "install", "--dry-run", "--set", "replicas=3,spaceName=team", "--set-string", "image.tag=1", "--set-json", "namespaces=[\"a\"]");
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("---\nkind: A\ntext: \"yes\"\n---\nkind: B\nlist:\n- 1\n");
        administration.Installed.ShouldBeNull();
        var values = administration.Rendered!.Values;
        values.Set.ShouldBe(["replicas=3,spaceName=team"]);
        values.Texts.ShouldBe(["image.tag=1"]);
        values.Json.ShouldBe(["namespaces=[\"a\"]"]);
    }

    [Theory]
    [InlineData("gateway")]
    [InlineData("helm")]
    public async Task Upgrade_reads_values_from_standard_input_and_waits(string family)
    {
        var outcome = await CommandLineRunner.RunAsync(null, [family, "upgrade", "--values", "-", "--context", "c", "-n", "tools", "--timeout", "5m", "--reset-values"], input: "replicas: 3\n", administration: administration);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        administration.Installed!.Upgrade.ShouldBeTrue();
        administration.Installed.ResetValues.ShouldBeTrue();
        administration.Installed.Wait.ShouldBe(TimeSpan.FromMinutes(5));
        administration.Installed.Values.Files.ShouldBe([new GatewayValuesFile("standard input", "replicas: 3\n")]);
        administration.Cluster.ShouldBe(new ClusterSelection(null, "c", "tools"));
        outcome.Error.ShouldContain("next: fairlead space invite USER --namespaces NAMESPACE --context c -n tools");
    }

    [Fact]
    public async Task Install_without_waiting_says_how_to_look()
    {
        var outcome = await RunAsync("gateway", "install", "--no-wait");
        administration.Installed!.Wait.ShouldBeNull();
        (outcome.Out + outcome.Error).ShouldContain("fairlead gateway status");
    }

    [Fact]
    public async Task Values_file_that_is_not_there_is_a_usage_error()
    {
        var outcome = await RunAsync("gateway", "install", "--values", "/nonexistent/values.yaml");
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("/nonexistent/values.yaml");
        administration.Installed.ShouldBeNull();
    }

    [Fact]
    public async Task Status_with_a_problem_exits_with_1()
    {
        administration.Gateway = administration.Gateway with { Problems = ["no pod is ready"] };
        var outcome = await RunAsync("gateway", "status");
        outcome.ExitCode.ShouldBe(1);
        outcome.Error.ShouldContain("no pod is ready");
    }

    [Fact]
    public async Task Status_is_a_table_of_replicas_and_warns()
    {
        administration.Gateway = administration.Gateway with
        {
            Pods = [new GatewayReplica("gw-a", "n1", true, "Running", 0, "0.1.0", 1, 2, null), new GatewayReplica("gw-b", "n2", false, "ImagePullBackOff", 3, "0.2.0", null, null, null)],
            People = [FakeAdministration.Person("alice")],
            Endpoints = [],
        };
        var outcome = await RunAsync("gateway", "status");
        outcome.Out.ShouldContain("""
            REPLICA  NODE  STATE             READY  RESTARTS  VERSION  PEOPLE  FLOWS  AGE
            gw-a     n1    Running           yes    0         0.1.0    1       2      -
            gw-b     n2    ImagePullBackOff  no     3         0.2.0    -       -      -
            """);
        outcome.Out.ShouldContain("Connected   invite:alice");
        outcome.Error.ShouldContain("different versions");
        outcome.Error.ShouldContain("nobody can join");
    }

    [Fact]
    public async Task Uninstall_with_nobody_there_asks_nobody()
    {
        (await RunAsync("gateway", "uninstall")).ExitCode.ShouldBe(0);
        administration.Uninstalled.ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Uninstall_with_people_there_and_no_terminal_is_refused(bool asked)
    {
        administration.Gateway = administration.Gateway with { People = asked ? [FakeAdministration.Person("alice")] : [], Asked = asked };
        var outcome = await RunAsync("gateway", "uninstall");
        outcome.ExitCode.ShouldBe(5);
        outcome.Error.ShouldContain(asked ? "invite:alice" : "can't be asked");
        outcome.Error.ShouldContain("--yes");
        administration.Uninstalled.ShouldBeFalse();
        (await RunAsync("gateway", "uninstall", "--yes")).ExitCode.ShouldBe(0);
        administration.Uninstalled.ShouldBeTrue();
    }

    private Task<Outcome> RunAsync(params string[] arguments) => CommandLineRunner.RunAsync(null, arguments, administration: administration);
}
