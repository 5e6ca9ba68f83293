using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class AccessTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task Anonymous_may_ask_for_health_and_version_alone()
    {
        using var nobody = server.ClientWithToken(null);

        (await nobody.GetAsync("/healthz", TestContext.Current.CancellationToken)).IsSuccessStatusCode.ShouldBeTrue();
        (await server.SendAsync("GET", "/version", client: nobody)).Code.ShouldBe(200);
        var (code, body) = await server.SendAsync("GET", "/api/v1/pods", client: nobody);
        (code, body.Text("message")).ShouldBe(
            (403, "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope"));
    }

    [Fact]
    public async Task A_token_that_is_not_good_is_unauthorized()
    {
        using var forger = server.ClientWithToken("forged");

        (await server.SendAsync("GET", "/version", client: forger)).Code.ShouldBe(401);
    }

    [Fact]
    public async Task A_certificate_of_another_cluster_is_unauthorized()
    {
        await using var other = new RunningServer();
        await other.InitializeAsync();
        using var stranger = server.ClientOf(other.Server.AdminKubeconfig);

        (await server.SendAsync("GET", "/version", client: stranger)).Code.ShouldBe(401);
    }

    [Fact]
    public async Task A_service_account_may_do_what_its_roles_say()
    {
        var name = await server.NewNamespaceAsync();
        var (_, request) = await server.SendAsync("POST", $"/api/v1/namespaces/{name}/serviceaccounts/default/token", """{"spec":{}}""");
        using var account = server.ClientWithToken(request.Text("status", "token"));
        (await server.SendAsync("GET", $"/api/v1/namespaces/{name}/pods", client: account)).Code.ShouldBe(403);

        const string group = "/apis/rbac.authorization.k8s.io/v1/namespaces/";
        await server.SendAsync("POST", $"{group}{name}/rolebindings", """
            {"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"NS"}]}
            """.Replace("NS", name));

        (await server.SendAsync("GET", $"/api/v1/namespaces/{name}/pods", client: account)).Code.ShouldBe(200);
        (await server.SendAsync("GET", $"/api/v1/namespaces/{name}/secrets", client: account)).Code.ShouldBe(403);
        (await server.SendAsync("GET", "/apis", client: account)).Code.ShouldBe(200);
    }

    [Fact]
    public async Task A_token_of_a_pod_is_reviewed_as_its_account()
    {
        var name = await server.NewNamespaceAsync();
        await server.SendAsync("POST", $"/api/v1/namespaces/{name}/pods", """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host"}]}}""");
        var (token, _) = server.Server.IssueToken(name, "p", [], TimeSpan.FromHours(1));

        var review = new JsonObject { ["spec"] = new JsonObject { ["token"] = token } };
        var (_, good) = await server.SendAsync("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review.ToJsonString());
        await server.SendAsync("DELETE", $"/api/v1/namespaces/{name}/pods/p");
        var (_, gone) = await server.SendAsync("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review.ToJsonString());

        good.Text("status", "user", "username").ShouldBe($"system:serviceaccount:{name}:default");
        good.Flag("status", "authenticated").ShouldBe(true);
        gone.Flag("status", "authenticated").ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"spec":{"user":"eve","resourceAttributes":{"verb":"get","resource":"pods"}}}""", false)]
    [InlineData("""{"spec":{"user":"eve","groups":["system:masters"],"resourceAttributes":{"verb":"get","resource":"pods"}}}""", true)]
    [InlineData("""{"spec":{"user":"eve","groups":["system:authenticated"],"nonResourceAttributes":{"verb":"get","path":"/apis"}}}""", true)]
    public async Task Access_is_reviewed_for_anybody(string review, bool allowed)
    {
        var (code, body) = await server.SendAsync("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review);

        (code, body.Flag("status", "allowed")).ShouldBe((201, allowed));
    }

    [Fact]
    public async Task Impersonation_is_for_those_who_may()
    {
        using var admin = server.ClientOf(server.Server.AdminKubeconfig);
        admin.DefaultRequestHeaders.Add("Impersonate-User", "bob");
        var (_, review) = await server.SendAsync("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", client: admin);
        using var plain = server.ClientOf(server.Server.KubeconfigFor("carol", "devs"));
        plain.DefaultRequestHeaders.Add("Impersonate-User", "bob");

        review.Text("status", "userInfo", "username").ShouldBe("bob");
        (await server.SendAsync("GET", "/version", client: plain)).Code.ShouldBe(403);
    }
}
