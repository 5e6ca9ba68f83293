using Fairlead.Kubernetes;

namespace Fairlead.Tests.Kubernetes.Config;

public sealed class KubeConfigTests : IDisposable
{
    private static readonly TestCertificates Certificates = TestCertificates.Instance;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Load_typical_file_gives_server_namespace_authority_and_certificate()
    {
        var file = _directory.Write("config", $"""
            apiVersion: v1
            kind: Config
            preferences: {"{}"}
            current-context: dev
            clusters:
            - name: c
              cluster:
                server: https://10.0.0.1:6443
                certificate-authority-data: {TestCertificates.Base64(Certificates.AuthorityPem)}
                tls-server-name: kubernetes.default
                proxy-url: socks5://127.0.0.1:1080
            users:
            - name: u
              user:
                client-certificate-data: {TestCertificates.Base64(Certificates.ClientPem)}
                client-key-data: {TestCertificates.Base64(Certificates.ClientKeyPem)}
                as: bob
                as-groups: [ops]
            contexts:
            - name: dev
              context: {"{cluster: c, user: u, namespace: shop}"}
            """);

        var connection = KubeConfig.Load(file);

        connection.Server.ShouldBe(new Uri("https://10.0.0.1:6443"));
        (connection.Context, connection.Namespace).ShouldBe(("dev", "shop"));
        connection.TlsServerName.ShouldBe("kubernetes.default");
        connection.Proxy.ShouldBe(new Uri("socks5://127.0.0.1:1080"));
        connection.CertificateAuthorities!.Single().Subject.ShouldBe("CN=test-ca");
        (connection.ImpersonateUser, connection.ImpersonateGroup).ShouldBe(("bob", "ops"));
        var credential = await connection.Credentials.GetAsync(TimeProvider.System, default);
        credential.Certificate!.TargetCertificate.Subject.ShouldContain("CN=alice");
        credential.Certificate.TargetCertificate.HasPrivateKey.ShouldBeTrue();
    }

    [Fact]
    public async Task Load_relative_paths_start_at_the_file_that_has_them()
    {
        _directory.Write("pki/ca.crt", Certificates.AuthorityPem);
        _directory.Write("pki/alice.crt", Certificates.ClientPem);
        _directory.Write("pki/alice.key", Certificates.ClientKeyPem);
        var file = _directory.Write("config", Text(
            cluster: "{server: https://c, certificate-authority: pki/ca.crt}",
            user: "{client-certificate: pki/alice.crt, client-key: ./pki/alice.key}"));

        var connection = KubeConfig.Load(file);

        connection.CertificateAuthorities!.Count.ShouldBe(1);
        (await connection.Credentials.GetAsync(TimeProvider.System, default)).Certificate.ShouldNotBeNull();
    }

    [Fact]
    public void Merge_of_several_files_takes_the_first_that_names_something()
    {
        var first = _directory.Write("a", """
            current-context: ""
            clusters:
            - {name: shared, cluster: {server: https://first}}
            """);
        var second = _directory.Write("b", """
            current-context: two
            clusters:
            - {name: shared, cluster: {server: https://second, insecure-skip-tls-verify: true}}
            - {name: other, cluster: {server: https://other}}
            contexts:
            - {name: two, context: {cluster: shared}}
            - {name: three, context: {cluster: other}}
            """);
        var third = _directory.Write("c", "current-context: three\n");

        var merged = KubeConfig.Merge([first, Path.Combine(_directory.Path, "missing"), second, third], mustExist: false);

        merged.CurrentContext.ShouldBe("two");
        var connection = KubeConfig.Connect(merged, null);
        connection.Server.ShouldBe(new Uri("https://first"));
        connection.SkipTlsVerify.ShouldBeFalse("entries are taken whole");
        KubeConfig.Connect(merged, "three").Server.ShouldBe(new Uri("https://other"));
    }

    [Fact]
    public void DefaultFiles_come_from_the_variable_else_from_home()
    {
        KubeConfig.DefaultFiles($"/a{Path.PathSeparator}{Path.PathSeparator}/b{Path.PathSeparator}/a", "/home/x").ShouldBe(["/a", "/b"]);
        KubeConfig.DefaultFiles("", "/home/x").ShouldBe(["/home/x/.kube/config"]);
        Should.Throw<KubeConfigException>(() => KubeConfig.DefaultFiles(null, "")).Message.ShouldContain("no home directory");
    }

    [Theory]
    [InlineData("token: t", "Bearer t")]
    [InlineData("token: t, tokenFile: nowhere", "Bearer t")]
    [InlineData("username: u, password: p", "Basic dTpw")]
    [InlineData("", null)]
    public async Task Load_user_gives_the_header_that_kubectl_sends(string user, string? header)
    {
        var connection = KubeConfig.Load(_directory.Write("config", Text(user: $"{{{user}}}")));

        (await connection.Credentials.GetAsync(TimeProvider.System, default)).Header?.ToString().ShouldBe(header);
    }

    [Fact]
    public async Task TokenFile_is_read_again_after_a_minute_and_after_a_rejection()
    {
        var token = _directory.Write("token", " one\n");
        var credentials = KubeConfig.Load(_directory.Write("config", Text(user: "{tokenFile: token}"))).Credentials;
        var time = new ManualTime();

        var first = await credentials.GetAsync(time, default);
        await File.WriteAllTextAsync(token, "two");
        (await credentials.GetAsync(time, default)).Token.ShouldBe("one");
        time.Advance(TimeSpan.FromMinutes(1));
        (await credentials.GetAsync(time, default)).Token.ShouldBe("two");
        await File.WriteAllTextAsync(token, "three");
        credentials.Reject(first).ShouldBeTrue();
        (await credentials.GetAsync(time, default)).Token.ShouldBe("three");

        first.Token.ShouldBe("one");
    }

    [Fact]
    public async Task TokenFile_that_vanished_is_an_error_that_names_it()
    {
        var credentials = KubeConfig.Load(_directory.Write("config", Text(user: "{tokenFile: gone}"))).Credentials;

        (await Should.ThrowAsync<KubeConfigException>(async () => await credentials.GetAsync(TimeProvider.System, default))).Hint.ShouldContain("gone");
    }

    [Theory]
    [InlineData("clusters: [", "line ")]
    [InlineData("- a\n- b\n", "mapping")]
    [InlineData("a: 1\n---\nb: 2\n", "several documents")]
    [InlineData("clusters: 7\n", "clusters")]
    [InlineData("", "current-context")]
    [InlineData("current-context: x\n", "\"x\"")]
    [InlineData("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n", "\"c\"")]
    [InlineData("current-context: x\nclusters: [{name: c, cluster: {server: 'ftp://x'}}]\ncontexts: [{name: x, context: {cluster: c}}]\n", "ftp://x")]
    [InlineData("current-context: x\nclusters: [{name: c}]\ncontexts: [{name: x, context: {cluster: c, user: u} }]\n", "\"u\"")]
    [InlineData("current-context: x\nclusters: [{name: c, cluster: {server: 'https://x', proxy-url: 'x:1'}}]\ncontexts: [{name: x, context: {cluster: c}}]\n", "proxy-url")]
    public void Load_of_a_broken_file_says_what_is_wrong(string text, string expected)
    {
        var file = _directory.Write("config", text);

        var e = Should.Throw<KubeConfigException>(() => KubeConfig.Load(file));

        e.Message.ShouldContain(expected);
        e.Hint.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("{server: 'https://x', certificate-authority: missing.crt}", "{}", "missing.crt")]
    [InlineData("{server: 'https://x', certificate-authority-data: '%%%'}", "{}", "base64")]
    [InlineData("{server: 'https://x', certificate-authority-data: aGVsbG8=}", "{}", "no PEM certificate")]
    [InlineData("{server: 'https://x', insecure-skip-tls-verify: true, certificate-authority-data: aGVsbG8=}", "{}", "both")]
    [InlineData("{server: 'https://x'}", "{client-certificate-data: aGVsbG8=}", "no client key")]
    [InlineData("{server: 'https://x'}", "{client-certificate-data: aGVsbG8=, client-key-data: aGVsbG8=}", "no PEM certificate")]
    [InlineData("{server: 'https://x'}", "{as: bob, as-groups: [a, b]}", "several groups")]
    [InlineData("{server: 'https://x'}", "{auth-provider: {name: gcp}}", "auth-provider")]
    [InlineData("{server: 'https://x'}", "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}", "no command")]
    [InlineData("{server: 'https://x'}", "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}", "v1alpha1")]
    [InlineData("{server: 'https://x'}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x}}", "interactiveMode")]
    [InlineData("{server: 'https://x'}", "{token: t, exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: x}}", "beside")]
    public void Load_of_entries_that_cannot_work_says_why(string cluster, string user, string expected)
    {
        var file = _directory.Write("config", Text(cluster, user));

        Should.Throw<KubeConfigException>(() => KubeConfig.Load(file)).Message.ShouldContain(expected);
    }

    [Fact]
    public void Load_of_a_file_that_is_not_there_names_it()
    {
        var e = Should.Throw<KubeConfigException>(() => KubeConfig.Load(Path.Combine(_directory.Path, "nothing")));

        e.Message.ShouldContain("nothing");
    }

    [Fact]
    public void Load_of_an_unknown_context_lists_those_there_are()
    {
        var file = _directory.Write("config", Text());

        Should.Throw<KubeConfigException>(() => KubeConfig.Load(file, "prod")).Hint.ShouldContain("dev");
    }

    [Fact]
    public async Task InCluster_reads_environment_and_service_account()
    {
        _directory.Write("token", "t1");
        _directory.Write("namespace", "fairlead\n");
        _directory.Write("ca.crt", Certificates.AuthorityPem);

        var connection = InClusterConfig.Load(_directory.Path, name => name switch
        {
            "KUBERNETES_SERVICE_HOST" => "fd00::1",
            "KUBERNETES_SERVICE_PORT" => "443",
            _ => null,
        });

        connection.Server.AbsoluteUri.ShouldBe("https://[fd00::1]/");
        connection.Namespace.ShouldBe("fairlead");
        connection.CertificateAuthorities!.Count.ShouldBe(1);
        (await connection.Credentials.GetAsync(TimeProvider.System, default)).Token.ShouldBe("t1");
    }

    [Fact]
    public void InCluster_outside_a_pod_says_so()
    {
        Should.Throw<KubeConfigException>(() => InClusterConfig.Load(_directory.Path, _ => null)).Message.ShouldContain("not a pod");
        Should.Throw<KubeConfigException>(() => InClusterConfig.Load(_directory.Path, _ => "1")).Hint.ShouldContain("automountServiceAccountToken");
    }

    private static string Text(string cluster = "{server: 'https://c'}", string user = "{}") => $$"""
        current-context: dev
        clusters: [{name: c, cluster: {{cluster}} }]
        users: [{name: u, user: {{user}} }]
        contexts: [{name: dev, context: {cluster: c, user: u} }]
        """;
}
