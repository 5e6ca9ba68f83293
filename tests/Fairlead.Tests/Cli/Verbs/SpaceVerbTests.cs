using Fairlead.Cli.Hosting;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Tests.Cli.Verbs;

public sealed class SpaceVerbTests
{
    private static readonly string Space = Json("team", inUse: true);

    [Fact]
    public async Task Join_from_standard_input_sends_the_token()
    {
        var token = new JoinToken("team", "u1", [new GatewayEndpoint("198.18.0.2", 30443, 30444)], new string('a', 64), "i1", "c2VjcmV0", DateTimeOffset.UnixEpoch.AddYears(100)).Encode();
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/join", Space);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["join", "-"], token[..40] + "\n" + token[40..] + "\n");
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("Joined space team as invite:alice.\n");
        daemon.Asked.ShouldHaveSingleItem().ShouldStartWith("POST /v1/join");
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("flj1.eyJhIjoxfQ")]
    [InlineData("flj9.eyJhIjoxfQ.00000000")]
    public async Task Join_with_what_is_no_token_is_a_usage_error_without_a_daemon(string token)
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["join", "-"], token);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("not a join token");
    }

    [Fact]
    public async Task Join_by_kubeconfig_starts_the_companion_and_names_the_file_to_the_daemon()
    {
        var companion = new FakeCompanion();
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("POST", "/v1/join", Space);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["join", "--kubeconfig", "/etc/kube/../kube/config", "--context", "staging"], companion: companion);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        companion.Started.ShouldBe(daemon.Socket);
        daemon.Asked.ShouldHaveSingleItem().ShouldContain("\"cluster\":{\"kubeconfig\":\"/etc/kube/config\",\"context\":\"staging\"");
    }

    [Theory]
    [InlineData]
    [InlineData("flj1.x.y", "--context", "staging")]
    public async Task Join_by_nothing_or_by_two_ways_is_a_usage_error(params string[] arguments)
    {
        var outcome = await CommandLineRunner.RunAsync(null, ["join", .. arguments]);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("kubeconfig");
    }

    [Fact]
    public async Task Leave_without_a_name_leaves_the_space_in_use()
    {
        await using var daemon = (await FakeDaemon.StartAsync())
            .Answers("GET", "/v1/spaces", $$"""{"spaces":[{{Json("other", inUse: false)}},{{Space}}]}""")
            .Answers("DELETE", "/v1/spaces/team", "");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["leave"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("Left space team.\n");
    }

    [Fact]
    public async Task Space_that_is_not_joined_is_named_with_those_that_are()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces", $$"""{"spaces":[{{Space}}]}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["space", "show", "--space", "nope"]);
        outcome.ExitCode.ShouldBe(2);
        outcome.Error.ShouldContain("joined are team");
    }

    [Fact]
    public async Task Space_show_without_any_space_is_not_connected()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces", """{"spaces":[]}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["space", "show"]);
        outcome.ExitCode.ShouldBe(3);
        outcome.Error.ShouldContain("fairlead join TOKEN");
    }

    [Theory]
    [InlineData("""[{"namespaces":["shop","dev-*"],"services":["api"]},{"namespaces":["shop"],"verbs":["consume","attach"],"cidrs":["10.0.0.0/8"]}]""", "May consume          shop/api, dev-*/api, shop (and 10.0.0.0/8)\nMay attach           shop (and 10.0.0.0/8)\n")]
    [InlineData("[]", "May                  nothing: no Grant names you, and RBAC gives you nothing (docs/identity.md)\n")]
    public async Task Space_show_says_what_one_may_do(string rights, string shown)
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/spaces", $$"""{"spaces":[{{Space[..Space.LastIndexOf('}')]}},"rights":{{rights}}}]}""");
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["space", "show"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldContain(shown);
    }

    [Fact]
    public async Task Services_list_asks_for_the_namespace_of_the_space()
    {
        await using var daemon = (await FakeDaemon.StartAsync()).Answers("GET", "/v1/services?space=team&namespace=shop", """
            {"space":"team","services":[{"service":{"namespace":"shop","name":"db","kind":"Headless","ports":[{"name":"","port":5432,"protocol":"Tcp"}],"endpoints":["db-0"]},"consumed":true}]}
            """);
        var outcome = await CommandLineRunner.RunAsync(daemon.Socket, ["services", "list", "-n", "shop", "--space", "team"]);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("""
            NAMESPACE  SERVICE  KIND      PORTS  CONSUMED
            shop       db       Headless  5432   yes

            """);
    }

    [Fact]
    public async Task Invite_prints_the_token_alone_on_standard_output()
    {
        var administration = new FakeAdministration();
        var outcome = await CommandLineRunner.RunAsync(null, ["space", "invite", "alice", "--namespaces", "shop,dev-*/api", "--expires", "7d", "--uses", "2", "--context", "c"], administration: administration);
        outcome.ExitCode.ShouldBe(0, outcome.Error);
        outcome.Out.ShouldBe("flj1.token\n");
        outcome.Error.ShouldContain("alice may join space team 2 times");
        administration.Invited.ShouldNotBeNull();
        administration.Invited.Namespaces.ShouldBe(["shop", "dev-*/api"]);
        administration.Invited.Expires.ShouldBe(TimeSpan.FromDays(7));
        administration.Cluster.ShouldBe(new ClusterSelection(null, "c"));
    }

    private static string Json(string name, bool inUse) => $$"""
        {"name":"{{name}}","uid":"u1","subject":"invite:alice","owner":0,"inUse":{{(inUse ? "true" : "false")}},"link":"Connected","since":"2026-01-01T00:00:00+00:00","problem":null,
         "carrier":"direct","gateway":"198.18.0.2","roundTripMilliseconds":0.3,"gatewayVersion":"0.1.0","warning":null,"certificateExpires":"2026-01-02T00:00:00+00:00",
         "primaryNamespace":null,"services":3,"consumed":1,"openFlows":0,"bytesSent":0,"bytesReceived":0}
        """;

    private sealed class FakeCompanion : ICompanionProcess
    {
        public string? Started { get; private set; }

        public void Start(string socket) => Started = socket;

        public Task RunAsync(string socket, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
