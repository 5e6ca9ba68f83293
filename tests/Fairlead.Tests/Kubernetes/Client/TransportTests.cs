using System.Security.Cryptography.X509Certificates;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Tests.Kubernetes.Client;

public sealed class TransportTests
{
    private static readonly TestCertificates Certificates = TestCertificates.Instance;

    private static X509Certificate2Collection Authorities
    {
        get
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPem(Certificates.AuthorityPem);
            return authorities;
        }
    }

    [Fact]
    public async Task Server_of_the_configured_authority_is_trusted_and_spoken_to_in_http2()
    {
        await using var api = await TlsApi();

        (await AskAsync(new ClusterConnection(api.Url) { CertificateAuthorities = Authorities })).ShouldBe("anonymous");

        api.Requests.Single().Protocol.ShouldBe("HTTP/2");
    }

    [Fact]
    public async Task Server_of_another_authority_is_not_trusted()
    {
        await using var api = await TlsApi();
        var other = new X509Certificate2Collection();
        other.ImportFromPem(new TestCertificates().AuthorityPem);

        var e = await Should.ThrowAsync<KubernetesException>(() => AskAsync(new ClusterConnection(api.Url) { CertificateAuthorities = other }));

        e.Reason.ShouldBe(KubernetesException.Untrusted);
        api.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task Server_with_another_name_is_not_trusted_unless_that_name_is_asked_for()
    {
        await using var api = await TlsApi();
        var wrong = new ClusterConnection(api.Url) { CertificateAuthorities = Authorities, TlsServerName = "elsewhere" };

        (await Should.ThrowAsync<KubernetesException>(() => AskAsync(wrong))).Reason.ShouldBe(KubernetesException.Untrusted);
        (await AskAsync(wrong with { TlsServerName = "kubernetes.default" })).ShouldBe("anonymous");
    }

    [Fact]
    public async Task Insecure_connection_asks_for_no_trust()
    {
        await using var api = await TlsApi();

        (await AskAsync(new ClusterConnection(api.Url) { SkipTlsVerify = true })).ShouldBe("anonymous");
    }

    [Fact]
    public async Task Client_certificate_is_presented()
    {
        await using var api = await TlsApi();
        var connection = new ClusterConnection(api.Url)
        {
            CertificateAuthorities = Authorities,
            Credentials = new FixedCredentials(new Credential(Certificate: Context(Certificates.ClientPem, Certificates.ClientKeyPem))),
        };

        (await AskAsync(connection)).ShouldBe("CN=alice, O=team");
    }

    [Fact]
    public async Task Client_certificate_that_changes_gets_connections_of_its_own()
    {
        await using var api = await TlsApi();
        var (certificate, key) = Certificates.Issue("CN=bob", null);
        var credentials = new ChangingCredentials(
            new Credential(Certificate: Context(Certificates.ClientPem, Certificates.ClientKeyPem)), new Credential(Certificate: Context(certificate, key)));
        using var client = new KubernetesClient(new ClusterConnection(api.Url) { CertificateAuthorities = Authorities, Credentials = credentials });

        (await NameAsync(client)).ShouldBe("CN=alice, O=team");
        credentials.Current++;
        (await NameAsync(client)).ShouldBe("CN=bob");
    }

    [Fact]
    public async Task Rejected_credentials_are_refreshed_and_the_request_repeated_once()
    {
        await using var api = await MockApi.StartAsync((context, request) =>
            request.Authorization == "Bearer new" ? MockApi.AnswerAsync(context, "{}") : MockApi.FailAsync(context, 401, "Unauthorized"));
        var credentials = new ChangingCredentials(new Credential("old"), new Credential("new"));
        using var client = new KubernetesClient(new ClusterConnection(api.Url) { Credentials = credentials });

        await client.CreateAsync(Resources.Namespaces, new Namespace { Metadata = { Name = "n" } });

        api.Requests.Select(r => r.Authorization).ShouldBe(["Bearer old", "Bearer new"]);
        api.Requests.Select(r => r.Body).Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public async Task Credentials_that_stay_rejected_fail_after_one_repeat()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.FailAsync(context, 401, "Unauthorized"));
        var credentials = new ChangingCredentials(new Credential("old"), new Credential("new"));
        using var client = new KubernetesClient(new ClusterConnection(api.Url) { Credentials = credentials });

        (await Should.ThrowAsync<KubernetesException>(() => client.GetAsync(Resources.Nodes, null, "x"))).Code.ShouldBe(401);

        api.Requests.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Impersonation_is_sent_as_headers()
    {
        string? user = null, group = null;
        await using var api = await MockApi.StartAsync((context, _) =>
        {
            user = context.Request.Headers["Impersonate-User"];
            group = context.Request.Headers["Impersonate-Group"];
            return MockApi.AnswerAsync(context, "{}");
        });
        using var client = new KubernetesClient(new ClusterConnection(api.Url) { BearerToken = "t", ImpersonateUser = "bob", ImpersonateGroup = "ops" });

        await client.GetAsync(Resources.Nodes, null, "x");

        (user, group).ShouldBe(("bob", "ops"));
    }

    [Fact]
    public async Task Server_below_a_path_keeps_it()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, "{}"));
        using var client = new KubernetesClient(new ClusterConnection(new Uri(api.Url, "/clusters/c1/")));

        await client.GetJsonAsync("/version");

        api.Requests.Single().Path.ShouldBe("/clusters/c1/version");
    }

    private static Task<MockApi> TlsApi() => MockApi.StartAsync((context, _) =>
        MockApi.AnswerAsync(context, $$"""{"name":"{{context.Connection.ClientCertificate?.Subject ?? "anonymous"}}"}"""), tls: true);

    private static async Task<string> AskAsync(ClusterConnection connection)
    {
        using var client = new KubernetesClient(connection);
        return await NameAsync(client);
    }

    private static async Task<string> NameAsync(KubernetesClient client) => (await client.GetJsonAsync("/whoami"))!["name"]!.GetValue<string>();

    private static System.Net.Security.SslStreamCertificateContext Context(string certificate, string key) =>
        Pem.ClientCertificate(new PemSource("test", null, TestCertificates.Base64(certificate)), new PemSource("test", null, TestCertificates.Base64(key)));

    private sealed class ChangingCredentials(params Credential[] credentials) : ICredentialSource
    {
        public int Current { get; set; }

        public ValueTask<Credential> GetAsync(TimeProvider time, CancellationToken cancellationToken) => new(credentials[Current]);

        public bool Reject(Credential credential)
        {
            Current = Math.Min(Current + 1, credentials.Length - 1);
            return true;
        }
    }
}
