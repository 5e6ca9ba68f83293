using System.Text.Json.Nodes;
using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Config;

public sealed class ExecPluginTests : IDisposable
{
    private const string Token = """{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"TOKEN"EXPIRES}}""";

    private readonly TemporaryDirectory _directory = new();
    private readonly ManualTime _time = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Plugin_gets_arguments_environment_and_cluster_and_gives_a_token()
    {
        _directory.WriteScript("bin/plugin", $$"""
            printf '%s' "$KUBERNETES_EXEC_INFO" > "$OUT/info.json"
            printf '%s %s' "$EXTRA" "$1" > "$OUT/seen"
            echo '{{Answer("abc")}}'
            """);
        var plugin = Load($$"""
            command: ./bin/plugin
            args: [get-token]
            env: [{name: EXTRA, value: yes-please}, {name: OUT, value: {{_directory.Path}}}]
            interactiveMode: Never
            provideClusterInfo: true
            """);

        var credential = await plugin.GetAsync(_time, default);

        credential.Header!.ToString().ShouldBe("Bearer abc");
        (await File.ReadAllTextAsync(Path.Combine(_directory.Path, "seen"))).ShouldBe("yes-please get-token");
        var info = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_directory.Path, "info.json")))!;
        info["kind"]!.GetValue<string>().ShouldBe("ExecCredential");
        info["spec"]!["interactive"]!.GetValue<bool>().ShouldBeFalse();
        info["spec"]!["cluster"]!["server"]!.GetValue<string>().ShouldBe("https://c");
        info["spec"]!["cluster"]!["config"]!["audience"]!.GetValue<string>().ShouldBe("us");
    }

    [Fact]
    public async Task Credentials_are_kept_until_shortly_before_they_expire()
    {
        var plugin = Load(Counting(expires: "2026-01-02T04:04:05Z"));

        (await plugin.GetAsync(_time, default)).Token.ShouldBe("t1");
        _time.Advance(TimeSpan.FromMinutes(59));
        (await plugin.GetAsync(_time, default)).Token.ShouldBe("t1");
        _time.Advance(TimeSpan.FromSeconds(51));
        (await plugin.GetAsync(_time, default)).Token.ShouldBe("t2");
    }

    [Fact]
    public async Task Credentials_that_the_server_rejects_are_made_anew_once_for_all_who_hold_them()
    {
        var plugin = Load(Counting(expires: null));

        var old = await plugin.GetAsync(_time, default);
        plugin.Reject(old).ShouldBeTrue();
        (await plugin.GetAsync(_time, default)).Token.ShouldBe("t2");
        plugin.Reject(old);
        (await plugin.GetAsync(_time, default)).Token.ShouldBe("t2");
    }

    [Fact]
    public async Task Many_requests_at_once_run_it_once()
    {
        var plugin = Load(Counting(expires: null));

        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => plugin.GetAsync(_time, default).AsTask()));

        all.ShouldAllBe(c => c.Token == "t1");
    }

    [Fact]
    public async Task Plugin_may_give_a_certificate()
    {
        var certificates = TestCertificates.Instance;
        var answer = new JsonObject
        {
            ["apiVersion"] = "client.authentication.k8s.io/v1",
            ["kind"] = "ExecCredential",
            ["status"] = new JsonObject { ["clientCertificateData"] = certificates.ClientPem, ["clientKeyData"] = certificates.ClientKeyPem },
        };
        var file = _directory.Write("answer.json", answer.ToJsonString());

        var credential = await Load($"{{command: cat, args: [{file}], interactiveMode: Never}}").GetAsync(_time, default);

        credential.Certificate!.TargetCertificate.Subject.ShouldContain("CN=alice");
        credential.Header.ShouldBeNull();
    }

    [Fact]
    public async Task Plugin_that_is_not_installed_shows_the_install_hint()
    {
        var e = await FailureAsync("{command: fairlead-no-such-plugin, installHint: get it from us, interactiveMode: IfAvailable}");

        e.Message.ShouldContain("fairlead-no-such-plugin");
        e.Hint.ShouldBe("get it from us");
    }

    [Fact]
    public async Task Plugin_that_must_ask_a_person_fails_without_a_terminal()
    {
        Assert.SkipUnless(Console.IsInputRedirected, "standard input of this test run is a terminal");

        (await FailureAsync("{command: 'true', interactiveMode: Always}")).Message.ShouldContain("not a terminal");
    }

    [Theory]
    [InlineData("echo 'please log in' >&2; exit 3", "exited with 3 and said: please log in")]
    [InlineData("echo hello", "not an ExecCredential")]
    [InlineData("echo null", "not client.authentication.k8s.io/v1/ExecCredential")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"t"}}'""", "v1beta1")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"}'""", "no status")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}'""", "neither")]
    [InlineData("""echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientKeyData":"x"}}'""", "key without a certificate")]
    [InlineData("head -c 2000000 /dev/zero", "more than 1 MiB")]
    public async Task Plugin_that_gives_nothing_usable_says_why(string script, string expected)
    {
        _directory.WriteScript("plugin", script + "\n");

        (await FailureAsync("{command: ./plugin, interactiveMode: Never}")).Message.ShouldContain(expected);
    }

    [Fact]
    public async Task Plugin_that_hangs_is_ended()
    {
        var pipe = Path.Combine(_directory.Path, "started");
        _directory.WriteScript("plugin", $"echo $$ > {pipe}\nexec sleep 1000\n");
        var plugin = Load("{command: ./plugin, interactiveMode: Never}");

        var get = plugin.GetAsync(_time, default).AsTask();
        while (!File.Exists(pipe) || (await File.ReadAllTextAsync(pipe)).Length == 0)
        {
            await Task.Yield();
        }

        _time.Advance(TimeSpan.FromMinutes(6));

        (await Should.ThrowAsync<KubeConfigException>(() => get)).Message.ShouldContain("5 minutes");
    }

    private async Task<KubeConfigException> FailureAsync(string exec) =>
        await Should.ThrowAsync<KubeConfigException>(async () => await Load(exec).GetAsync(_time, default));

    private static string Answer(string token, string? expires = null) =>
        Token.Replace("TOKEN", token).Replace("EXPIRES", expires is null ? "" : $",\"expirationTimestamp\":\"{expires}\"");

    private string Counting(string? expires)
    {
        _directory.WriteScript("plugin", $"""
            echo x >> {_directory.Path}/runs
            n=$(wc -l < {_directory.Path}/runs)
            echo '{Answer("tN", expires)}' | sed "s/tN/t$n/"
            """);
        return "{command: ./plugin, interactiveMode: Never}";
    }

    /// <param name="exec">YAML, in one line or in several.</param>
    private ICredentialSource Load(string exec)
    {
        var user = new JsonObject { ["exec"] = Yaml.Parse(exec).Single() };
        user["exec"]!["apiVersion"] = "client.authentication.k8s.io/v1";
        return KubeConfig.Load(_directory.Write("config", $$"""
            current-context: dev
            clusters:
            - name: c
              cluster:
                server: https://c
                extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: us} }]
            contexts: [{name: dev, context: {cluster: c, user: u} }]
            users: [{name: u, user: {{user.ToJsonString()}} }]
            """)).Credentials;
    }
}
