using Fairlead.Contracts.Errors;

namespace Fairlead.Tests.Cli.Verbs;

/// <summary>The verbs that take <c>--docker</c>.</summary>
public sealed class DockerTests
{
    private const string State = """{"connected":true,"space":"team","device":"fairlead0","since":"2026-01-02T03:04:05Z","plan":null,"problem":null}""";

    [Theory]
    [InlineData("start default")]
    [InlineData("start localhost/mine:1", "--image", "localhost/mine:1")]
    public async Task Connect_starts_the_container_and_asks_the_daemon_in_it(string told, params string[] more)
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/connect", State);
        var container = new FakeContainer(daemon.Socket);
        var outcome = await CommandLineRunner.RunAsync(null, ["connect", "--docker", .. more], container: container);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        container.Told.ShouldBe([told]);
        daemon.Asked.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Image_without_a_container_is_a_usage_error()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["connect", "--image", "localhost/mine:1"]);
        outcome.ExitCode.ShouldBe((int)ErrorCategory.Usage);
        outcome.Error.ShouldContain("Add --docker");
    }

    [Fact]
    public async Task Command_behind_dashes_is_refused_with_what_runs_it()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["connect", "--docker", "--", "curl", "frontend.shop"], container: new FakeContainer("/nonexistent/daemon.sock"));
        outcome.ExitCode.ShouldBe((int)ErrorCategory.Usage);
        outcome.Error.ShouldContain("--network container:fairlead");
    }

    [Fact]
    public async Task Disconnect_removes_the_container_also_when_its_daemon_was_killed()
    {
        var container = new FakeContainer("/nonexistent/daemon.sock");
        var outcome = await CommandLineRunner.RunAsync(null, ["quit", "--docker"], container: container);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("Disconnected; the daemon's container is removed.\n");
        container.Told.ShouldBe(["stop"]);
    }

    [Theory]
    [InlineData("engine-down", "systemctl start docker", "Cannot connect to the Docker daemon", false, true)]
    [InlineData("image-missing", "deploy/image/build", null, false, false)]
    [InlineData("tun-missing", "sudo modprobe tun", null, true, false)]
    [InlineData("container-start", "docker info", null, true, true)]
    public void Refusal_of_the_engine_is_explained(string code, string next, string? engineProblem, bool hasImage, bool hasTun)
    {
        var error = ContainerDaemon.Explain("docker", "docker.io/fairlead/fairlead:dev", "no", engineProblem, hasImage, hasTun);
        error.Code.ShouldBe(code);
        error.Why.ShouldNotBeNullOrEmpty();
        error.Hint.ShouldNotBeNull().ShouldContain(next);
    }
    [Theory]
    [InlineData("localhost/mine:1", "localhost/mine:2", "started from localhost/mine:1, not from localhost/mine:2")]
    [InlineData("localhost/mine:1", "localhost/mine:1", "localhost/mine:1 is not what it was")]
    public void Other_image_than_that_of_the_container_that_runs_is_a_conflict(string running, string wanted, string why)
    {
        var error = ContainerDaemon.OtherImage(running, wanted);
        error.Category.ShouldBe(ErrorCategory.Conflict);
        error.Why.ShouldNotBeNull().ShouldContain(why);
        error.Hint.ShouldNotBeNull().ShouldContain($"fairlead connect --docker --image {wanted}");
    }
}
