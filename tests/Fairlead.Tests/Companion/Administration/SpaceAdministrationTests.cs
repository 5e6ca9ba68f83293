using System.Security.Cryptography;
using System.Text;
using Fairlead.Companion.Administration;
using Fairlead.Contracts.Administration;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Kubernetes;
using Fairlead.Tests.Gateway;

namespace Fairlead.Tests.Companion.Administration;

public sealed class SpaceAdministrationTests : IAsyncLifetime
{
    private const string Fairlead = "/api/v1/namespaces/fairlead/";
    private const string Grants = "/apis/fairlead.dev/v1alpha1/namespaces/fairlead/grants/";

    private readonly string kubeconfig = Path.GetTempFileName();
    private readonly SpaceAdministration administration = new();
    private FakeCluster cluster = null!;

    private ClusterSelection Selection => new(kubeconfig, null);

    public async ValueTask InitializeAsync()
    {
        cluster = await FakeCluster.StartAsync();
        await File.WriteAllTextAsync(kubeconfig, $$"""
            apiVersion: v1
            kind: Config
            current-context: t
            clusters: [ { name: t, cluster: { server: "{{cluster.Url}}" } } ]
            users: [ { name: t, user: {} } ]
            contexts: [ { name: t, context: { cluster: t, user: t } } ]
            """);
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(kubeconfig);
        await cluster.DisposeAsync();
    }

    [Fact]
    public async Task Invite_makes_grant_and_secret_and_a_token_that_fits_them()
    {
        PublishSpace();
        var invitation = await administration.InviteAsync(Selection, new InviteOptions("alice", "team", ["shop", "dev-*/api"], TimeSpan.FromDays(7), 2), default);
        var token = JoinToken.Parse(invitation.Token);
        token.Endpoints.ShouldBe([new GatewayEndpoint("198.18.0.2", 30443, 30444)]);
        var secret = cluster.Get(Fairlead + "secrets/fairlead-invite-" + token.InviteId)!;
        secret["type"]!.GetValue<string>().ShouldBe("fairlead.dev/invite");
        Data(secret, "secret-sha256").ShouldBe(Convert.ToHexStringLower(SHA256.HashData(System.Buffers.Text.Base64Url.DecodeFromChars(token.Secret))));
        (Data(secret, "user"), Data(secret, "group"), Data(secret, "uses-left")).ShouldBe(("alice", "team", "2"));
        secret.ToJsonString().ShouldNotContain(token.Secret);
        var grants = await administration.ListGrantsAsync(Selection, default);
        grants.ShouldHaveSingleItem().Rules.ShouldBe(["shop", "dev-*/api"]);
        grants[0].Subjects.ShouldBe(["invite:alice"]);
        grants[0].Verbs.ShouldBe(["consume"]);
    }

    [Theory]
    [InlineData(-8, "fairlead.dev/invite", false)]
    [InlineData(-6, "fairlead.dev/invite", true)]
    [InlineData(1, "fairlead.dev/invite", true)]
    [InlineData(-400, "Opaque", true)]
    public async Task Invite_clears_away_what_expired_long_ago(int expiredDays, string type, bool stays)
    {
        PublishSpace();
        var expires = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(DateTimeOffset.UtcNow.AddDays(expiredDays).ToString("O")));
        cluster.Put(Fairlead + "secrets/fairlead-invite-old", $$"""{"metadata":{"labels":{"app.kubernetes.io/managed-by":"fairlead"} },"type":"{{type}}","data":{"expires":"{{expires}}"} }""");

        await administration.InviteAsync(Selection, new InviteOptions("alice", null, [], TimeSpan.FromDays(7), 1), default);

        (cluster.Get(Fairlead + "secrets/fairlead-invite-old") is not null).ShouldBe(stays);
    }

    [Fact]
    public async Task Invite_without_a_gateway_says_how_to_install_one() =>
        (await CodeAsync(administration.InviteAsync(Selection, new InviteOptions("alice", null, ["shop"], TimeSpan.FromDays(1), 1), default))).ShouldBe("gateway-not-installed");

    [Fact]
    public async Task Invite_before_the_gateway_is_reachable_says_so()
    {
        PublishSpace("[]");
        (await CodeAsync(administration.InviteAsync(Selection, new InviteOptions("alice", null, ["shop"], TimeSpan.FromDays(1), 1), default))).ShouldBe("gateway-unexposed");
    }

    [Theory]
    [InlineData("Alice", "shop", 1, 1, "name-invalid")]
    [InlineData("a/b", "shop", 1, 1, "name-invalid")]
    [InlineData("", "shop", 1, 1, "name-invalid")]
    [InlineData("alice", "shop/a/b", 1, 1, "rule-invalid")]
    [InlineData("alice", "Shop", 1, 1, "rule-invalid")]
    [InlineData("alice", "/x", 1, 1, "rule-invalid")]
    [InlineData("alice", "shop", 0, 1, "option-invalid")]
    [InlineData("alice", "shop", 1, 0, "option-invalid")]
    [InlineData("alice", "shop", 1, 400, "option-invalid")]
    public async Task Invite_nonsense_is_refused_before_anything_is_made(string user, string rule, int uses, int days, string code)
    {
        PublishSpace();
        (await CodeAsync(administration.InviteAsync(Selection, new InviteOptions(user, null, [rule], TimeSpan.FromDays(days), uses), default))).ShouldBe(code);
        (await administration.ListGrantsAsync(Selection, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Revoke_denies_the_user_and_leaves_the_others()
    {
        PublishSpace();
        await administration.InviteAsync(Selection, new InviteOptions("alice", null, ["shop"], TimeSpan.FromDays(1), 1), default);
        var bob = JoinToken.Parse((await administration.InviteAsync(Selection, new InviteOptions("bob", null, ["shop"], TimeSpan.FromDays(1), 1), default)).Token);
        cluster.Put(Grants + "shared", """{"spec":{"subjects":["invite:alice","invite:bob"],"rules":[{"namespaces":["dev"]}]}}""");
        await administration.RevokeAsync(Selection, "alice", default);
        var map = cluster.Get(Fairlead + "configmaps/fairlead-revocations")!;
        DateTimeOffset.Parse(map["data"]!["invite.alice"]!.GetValue<string>()).ShouldBe(DateTimeOffset.UtcNow, TimeSpan.FromMinutes(1));
        map["data"]!["invite.bob"].ShouldBeNull();
        var grants = await administration.ListGrantsAsync(Selection, default);
        grants.Select(g => g.Name).ShouldBe(["invite-bob", "shared"]);
        grants[1].Subjects.ShouldBe(["invite:bob"]);
        cluster.Get(Fairlead + "secrets/fairlead-invite-" + bob.InviteId).ShouldNotBeNull();
    }

    [Fact]
    public async Task Cluster_that_is_not_there_is_a_clear_error()
    {
        await File.WriteAllTextAsync(kubeconfig, (await File.ReadAllTextAsync(kubeconfig)).Replace(cluster.Url.Port.ToString(), "1"));
        var error = (await Should.ThrowAsync<FairleadException>(administration.ListGrantsAsync(Selection, default))).Error;
        (error.Category, error.Code).ShouldBe((ErrorCategory.NotConnected, "cluster-unreachable"));
        (await CodeAsync(administration.ListGrantsAsync(new ClusterSelection("/nonexistent", null), default))).ShouldBe("kubeconfig-unusable");
    }

    private void PublishSpace(string endpoints = """[{\"host\":\"198.18.0.2\",\"apiPort\":30443,\"dataPort\":30444}]""")
    {
        var (certificate, _) = global::Fairlead.Gateway.Identity.SpaceAuthority.Generate(TimeProvider.System);
        cluster.Put(Fairlead + "configmaps/fairlead-space", $$"""{"data":{"name":"default","uid":"u","endpoints":"{{endpoints}}","ca.crt":"{{certificate.Replace("\n", "\\n")}}"} }""");
    }

    private static string Data(System.Text.Json.Nodes.JsonObject secret, string key) => Encoding.UTF8.GetString(Convert.FromBase64String(secret["data"]![key]!.GetValue<string>()));

    private static async Task<string> CodeAsync<T>(Task<T> task) => (await Should.ThrowAsync<FairleadException>(task)).Error.Code;
}
