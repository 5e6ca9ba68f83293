using Fairlead.Cli.Hosting;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class DaemonVerbTests
{
    private const string Status = """{"version":"0.1.0","pid":7,"started":"2026-01-01T00:00:00+00:00","capture":{"method":"sk_lookup","reason":null},"resolver":"hosts","currentSpace":null,"spaces":[]}""";

    [Fact]
    public async Task Start_of_a_running_daemon_changes_nothing()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/status", Status);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["start"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldContain("is already running (pid 7");
    }

    [Fact]
    public async Task Start_without_root_says_sudo()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["start"], daemon: new FakeProcess { IsPrivileged = false });
        outcome.ExitCode.ShouldBe(4);
        outcome.Error.ShouldContain("next: sudo fairlead start");
    }

    [Fact]
    public async Task Start_of_a_daemon_that_ends_shows_its_last_words()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["start"], daemon: new FakeProcess { Words = ["error: the journal is corrupt"] });
        outcome.ExitCode.ShouldBe(1);
        outcome.Error.ShouldContain("the journal is corrupt");
    }

    [Fact]
    public async Task Stop_without_a_daemon_is_no_failure()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["stop"]);
        outcome.ExitCode.ShouldBe(0);
        outcome.Out.ShouldBe("The daemon was not running.\n");
    }

    [Fact]
    public async Task Status_without_a_daemon_exits_with_3() => (await CommandLineRunner.RunAsync(null, ["status"])).ExitCode.ShouldBe(3);

    [Fact]
    public async Task Cleanup_beside_a_running_daemon_is_a_conflict()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/status", Status);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["cleanup"]);
        outcome.ExitCode.ShouldBe(5);
        outcome.Error.ShouldContain("fairlead stop");
    }

    [Fact]
    public async Task Cleanup_says_what_it_undid()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["cleanup"], daemon: new FakeProcess { Undone = ["removed 3 names from /etc/hosts"] });
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("Undid 1 change:\n  removed 3 names from /etc/hosts\n");
    }

    [Fact]
    public async Task Doctor_without_a_daemon_says_so_and_exits_with_3()
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["doctor"], run: new FakeRun());
        outcome.ExitCode.ShouldBe(3);
        outcome.Out.ShouldContain("daemon");
        outcome.Out.ShouldContain("sudo fairlead start");
    }

    [Fact]
    public async Task Doctor_with_a_failed_check_exits_with_1()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/doctor", """{"checks":[{"subject":"hosts file","result":"Failed","message":"it is read-only","hint":"remount it"}]}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["doctor"], run: new FakeRun());
        outcome.ExitCode.ShouldBe(1);
        outcome.Out.ShouldContain("hosts file: remount it");
        outcome.Out.ShouldContain("private networks: Do this.");
    }

    [Fact]
    public async Task Options_set_says_when_a_restart_is_needed()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("PUT", "/v1/options/loopback-range", """{"option":{"key":"loopback-range","value":"127.80.0.0/14","default":"127.72.0.0/14","description":"d","needsRestart":true,"source":"Laptop"},"restartNeeded":true}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["options", "set", "loopback-range", "127.80.0.0/14"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("loopback-range = 127.80.0.0/14 (laptop)\n");
        outcome.Error.ShouldContain("sudo fairlead restart");
    }

    [Fact]
    public async Task Options_get_prints_the_value_alone()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/options", """{"options":[{"key":"resolver","value":"hosts","default":"hosts","description":"d","needsRestart":false,"source":"Default"}]}""");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["options", "get", "resolver"])).Out.ShouldBe("hosts\n");
        var unknown = await CommandLineRunner.RunAsync(daemon.Socket, ["options", "get", "nope"]);
        unknown.ExitCode.ShouldBe(2);
        unknown.Error.ShouldContain("the options are resolver");
    }

    [Fact]
    public async Task Options_list_says_who_set_what()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/options", """
            {"options":[{"key":"a","value":"1","default":"","description":"x","needsRestart":false,"source":"Gateway"},{"key":"b","value":"","default":"2","description":"y","needsRestart":true,"source":"Laptop"}]}
            """);
        (await CommandLineRunner.RunAsync(daemon.Socket, ["options", "list"])).Out.ShouldBe("""
            KEY  VALUE  FROM     WHAT IT IS
            a    1      gateway  x; default: none
            b    none   laptop   y; default: 2; a change needs a restart

            """);
    }

    [Fact]
    public async Task Options_unset_says_what_counts_now()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("DELETE", "/v1/options/a", """{"option":{"key":"a","value":"1","default":"","description":"x","needsRestart":false,"source":"Gateway"},"restartNeeded":false}""");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["options", "unset", "a"])).Out.ShouldBe("a = 1 (gateway)\n");
    }

    [Fact]
    public async Task Logs_are_copied_as_they_are()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/logs?lines=2", "one\ntwo\n");
        (await CommandLineRunner.RunAsync(daemon.Socket, ["logs", "--lines", "2"])).Out.ShouldBe("one\ntwo\n");
    }

    private sealed class FakeProcess : IDaemonProcess, IStartedDaemon
    {
        public bool IsPrivileged { get; init; } = true;

        public IReadOnlyList<string> Words { get; init; } = [];

        public IReadOnlyList<string> Undone { get; init; } = [];

        public bool HasExited => true;

        public IStartedDaemon Start(DaemonPaths paths) => this;

        public Task RunAsync(DaemonPaths paths, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<IReadOnlyList<string>> CleanupAsync(DaemonPaths paths, CancellationToken cancellationToken) => Task.FromResult(Undone);

        public IReadOnlyList<string> LogTail(int lines) => Words;
    }
}
