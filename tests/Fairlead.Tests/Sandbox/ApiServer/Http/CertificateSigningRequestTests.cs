using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class CertificateSigningRequestTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string Path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    private const string Rbac = "/apis/rbac.authorization.k8s.io/v1";
    private const string Signer = "fairlead.dev/client";

    [Fact]
    public async Task Create_says_who_asks_whatever_the_client_claims()
    {
        await AllowAsync("bob", """{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests"],"verbs":["create"]}""");
        using var bob = server.ClientOf(server.Server.KubeconfigFor("bob", "devs"));
        var forged = Request();
        forged["spec"]!["username"] = "alice";
        forged["spec"]!["groups"] = new JsonArray("system:masters");
        forged["status"] = new JsonObject { ["conditions"] = new JsonArray(Condition("Approved")) };

        var (code, created) = await server.SendAsync("POST", Path, forged.ToJsonString(), client: bob);

        code.ShouldBe(201);
        created.Text("spec", "username").ShouldBe("bob");
        created.Texts("spec", "groups").ShouldBe(["devs", "system:authenticated"]);
        created.At("status", "conditions").ShouldBeNull();
    }

    [Theory]
    [InlineData("signerName", "\"client\"", "fully qualified domain")]
    [InlineData("signerName", "\"kubernetes.io/legacy-unknown\"", "legacy signerName")]
    [InlineData("usages", "[]", "spec.usages: Required value")]
    [InlineData("usages", "[\"client auth\",\"client auth\"]", "Duplicate value")]
    [InlineData("usages", "[\"flying\"]", "Unsupported value: \"flying\"")]
    [InlineData("expirationSeconds", "599", "less than 600 seconds")]
    [InlineData("request", "\"bm90IGEgcmVxdWVzdA==\"", "must be CERTIFICATE REQUEST")]
    public async Task Create_nonsense_is_invalid(string field, string value, string message)
    {
        var request = Request();
        request["spec"]![field] = JsonNode.Parse(value);

        var (code, body) = await server.SendAsync("POST", Path, request.ToJsonString());

        code.ShouldBe(422);
        body.Text("message")!.ShouldContain(message);
    }

    [Fact]
    public async Task Create_request_for_the_administrators_group_is_forbidden()
    {
        var request = Request("O=system:masters,CN=eve");
        request["spec"]!["signerName"] = "kubernetes.io/kube-apiserver-client";

        var (code, body) = await server.SendAsync("POST", Path, request.ToJsonString());

        code.ShouldBe(403);
        body.Text("message")!.ShouldContain("system:masters group is not allowed");
    }

    [Fact]
    public async Task Update_keeps_spec_and_status()
    {
        var created = await CreateAsync();
        var changed = created.Clone();
        changed["spec"]!["usages"] = new JsonArray("server auth");
        changed["status"] = new JsonObject { ["conditions"] = new JsonArray(Condition("Approved")) };
        changed.Metadata()["labels"] = new JsonObject { ["a"] = "b" };

        var (code, updated) = await server.SendAsync("PUT", $"{Path}/{created.Name()}", changed.ToJsonString());

        code.ShouldBe(200);
        updated.Text("metadata", "labels", "a").ShouldBe("b");
        updated.Texts("spec", "usages").ShouldBe(["client auth"]);
        updated.At("status", "conditions").ShouldBeNull();
    }

    [Fact]
    public async Task Approval_needs_the_right_on_the_signer_besides_that_on_the_subresource()
    {
        var created = await CreateAsync();
        await AllowAsync("approver", """{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests/approval"],"verbs":["update"]}""");
        using var approver = server.ClientOf(server.Server.KubeconfigFor("approver"));
        var approved = With(created, Condition("Approved"));

        var (before, refusal) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", approved.ToJsonString(), client: approver);
        await AllowAsync("approver", """{"apiGroups":["certificates.k8s.io"],"resources":["signers"],"resourceNames":["fairlead.dev/*"],"verbs":["approve"]}""");
        var (after, answer) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", approved.ToJsonString(), client: approver);

        before.ShouldBe(403);
        refusal.Text("message")!.ShouldContain("user not permitted to approve requests with signerName \"fairlead.dev/client\"");
        after.ShouldBe(200);
        var condition = answer.Maps("status", "conditions").ShouldHaveSingleItem();
        condition.Text("lastUpdateTime").ShouldNotBeNull();
        condition.Text("message").ShouldBe("because");
    }

    [Fact]
    public async Task Approval_sets_no_certificate_and_is_final()
    {
        var created = await CreateAsync();
        var approved = With(created, Condition("Approved"));
        approved["status"]!["certificate"] = Encode(SelfSigned());

        var (code, answer) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", approved.ToJsonString());
        var (again, refusal) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", With(answer, Condition("Denied")).ToJsonString());

        code.ShouldBe(200);
        answer.At("status", "certificate").ShouldBeNull();
        again.ShouldBe(422);
        refusal.Text("message")!.ShouldContain("updates may not remove a condition of type \"Approved\"");
    }

    [Fact]
    public async Task Approved_and_denied_at_once_is_invalid()
    {
        var created = await CreateAsync();

        var (code, body) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", With(created, Condition("Approved"), Condition("Denied")).ToJsonString());

        (code, body.Text("message")!.Contains("mutually exclusive")).ShouldBe((422, true));
    }

    [Fact]
    public async Task Status_takes_a_certificate_once_from_who_may_sign()
    {
        var created = await CreateAsync();
        var (_, approved) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", With(created, Condition("Approved")).ToJsonString());
        await AllowAsync("signer", """{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests/status"],"verbs":["update"]}""");
        using var signer = server.ClientOf(server.Server.KubeconfigFor("signer"));
        var issued = approved.Clone();
        issued["status"]!["certificate"] = Encode(SelfSigned() + "\n" + SelfSigned());

        var (before, refusal) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/status", issued.ToJsonString(), client: signer);
        await AllowAsync("signer", """{"apiGroups":["certificates.k8s.io"],"resources":["signers"],"resourceNames":["fairlead.dev/client"],"verbs":["sign"]}""");
        var (after, answer) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/status", issued.ToJsonString(), client: signer);
        answer["status"]!["certificate"] = Encode(SelfSigned());
        var (twice, _) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/status", answer.ToJsonString(), client: signer);

        before.ShouldBe(403);
        refusal.Text("message")!.ShouldContain("user not permitted to sign requests with signerName \"fairlead.dev/client\"");
        (after, twice).ShouldBe((200, 422));
    }

    [Theory]
    [InlineData("nothing", "must contain at least one CERTIFICATE PEM block")]
    [InlineData("key", "only CERTIFICATE PEM blocks are allowed, found \"PRIVATE KEY\"")]
    public async Task Status_takes_certificates_only(string what, string message)
    {
        var created = await CreateAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        created["status"] = new JsonObject { ["certificate"] = Encode(what == "key" ? key.ExportPkcs8PrivateKeyPem() : what) };

        var (code, body) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/status", created.ToJsonString());

        code.ShouldBe(422);
        body.Text("message")!.ShouldContain(message);
    }

    [Fact]
    public async Task Status_decides_nothing()
    {
        var created = await CreateAsync();

        var (code, body) = await server.SendAsync("PUT", $"{Path}/{created.Name()}/status", With(created, Condition("Approved")).ToJsonString());

        code.ShouldBe(422);
        body.Text("message")!.ShouldContain("updates may not add a condition of type \"Approved\"");
    }

    [Fact]
    public async Task Table_and_field_selector_are_those_of_kubectl_get_csr()
    {
        var created = await CreateAsync();
        await server.SendAsync("PUT", $"{Path}/{created.Name()}/approval", With(created, Condition("Denied")).ToJsonString());

        var (_, table) = await server.SendAsync(
            "GET", $"{Path}?fieldSelector=spec.signerName={Signer},metadata.name={created.Name()}", accept: "application/json;as=Table;v=v1;g=meta.k8s.io");

        table.Maps("columnDefinitions").Select(column => column.Text("name")).ShouldBe(["Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"]);
        table.Maps("rows").ShouldHaveSingleItem()["cells"]!.AsArray().Select(cell => cell!.GetValue<string>()).Skip(2)
            .ShouldBe([Signer, "kubernetes-admin", "12h", "Denied"]);
    }

    private async Task<JsonObject> CreateAsync()
    {
        var (code, created) = await server.SendAsync("POST", Path, Request().ToJsonString());
        code.ShouldBe(201, created.Text("message"));
        return created;
    }

    private async Task AllowAsync(string user, string rule)
    {
        var role = $"r{Guid.NewGuid():n}";
        await server.SendAsync("POST", $"{Rbac}/clusterroles", $$"""{"metadata":{"name":"{{role}}"},"rules":[{{rule}}]}""");
        await server.SendAsync("POST", $"{Rbac}/clusterrolebindings", $$"""
            {"metadata":{"name":"{{role}}"},"roleRef":{"kind":"ClusterRole","name":"{{role}}"},"subjects":[{"kind":"User","name":"{{user}}"}]}
            """);
    }

    private static JsonObject Request(string subject = "CN=anybody")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["generateName"] = "fairlead-" },
            ["spec"] = new JsonObject
            {
                ["request"] = Encode(new CertificateRequest(subject, key, HashAlgorithmName.SHA256).CreateSigningRequestPem()),
                ["signerName"] = Signer,
                ["usages"] = new JsonArray("client auth"),
                ["expirationSeconds"] = 43200,
            },
        };
    }

    private static JsonObject With(JsonObject request, params JsonObject[] conditions)
    {
        var result = request.Clone();
        result.Ensure("status")["conditions"] = new JsonArray([.. conditions]);
        return result;
    }

    private static JsonObject Condition(string type) => new() { ["type"] = type, ["status"] = "True", ["reason"] = "Test", ["message"] = "because" };

    private static string SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddHours(1));
        return certificate.ExportCertificatePem();
    }

    private static string Encode(string pem) => Convert.ToBase64String(Encoding.ASCII.GetBytes(pem));
}
