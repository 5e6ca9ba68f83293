using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class WriteTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string ConfigMap = """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"}}""";

    [Fact]
    public async Task Create_then_get_update_and_delete()
    {
        var maps = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";

        var (created, first) = await server.SendAsync("POST", maps, ConfigMap);
        first["data"]!["k"] = "2";
        var (updated, second) = await server.SendAsync("PUT", $"{maps}/a", first.ToJsonString());
        var (stale, conflict) = await server.SendAsync("PUT", $"{maps}/a", first.ToJsonString());
        var (deleted, _) = await server.SendAsync("DELETE", $"{maps}/a");
        var (gone, missing) = await server.SendAsync("GET", $"{maps}/a");

        (created, updated, stale, deleted, gone).ShouldBe((201, 200, 409, 200, 404));
        second.ResourceVersion().ShouldBeGreaterThan(first.ResourceVersion());
        conflict.Text("reason").ShouldBe("Conflict");
        missing.ShouldBeJson("""
            {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"configmaps \"a\" not found","reason":"NotFound",
             "details":{"name":"a","kind":"configmaps"},"code":404}
            """);
    }

    [Fact]
    public async Task Create_twice_is_refused()
    {
        var maps = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        await server.SendAsync("POST", maps, ConfigMap);

        var (code, body) = await server.SendAsync("POST", maps, ConfigMap);

        (code, body.Text("reason")).ShouldBe((409, "AlreadyExists"));
    }

    [Fact]
    public async Task Create_as_a_dry_run_keeps_nothing()
    {
        var maps = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";

        var (code, body) = await server.SendAsync("POST", $"{maps}?dryRun=All", ConfigMap);

        code.ShouldBe(201);
        body.Uid().ShouldNotBeNull();
        (await server.SendAsync("GET", $"{maps}/a")).Code.ShouldBe(404);
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"Bad_Name"}}""", 422, "metadata.name: Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain")]
    [InlineData("""{"metadata":{}}""", 422, "name or generateName is required")]
    [InlineData("""{"metadata":{"name":"a","namespace":"other"}}""", 400, "does not match the namespace sent on the request")]
    [InlineData("""{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}}""", 400, "does not match what the URL names")]
    [InlineData("""{"metadata":{"name":"a","labels":{"a b":"c"}}}""", 422, "metadata.labels")]
    [InlineData("""{"metadata":{"name":"a"},"data":{"k":1}}""", 400, "cannot unmarshal number into field data.k of type string")]
    [InlineData("""{"metadata":{"name":"a","name":"b"}}""", 400, "no valid JSON")]
    [InlineData("""{"metadata":""", 400, "no valid JSON")]
    [InlineData("""[]""", 400, "must be an object")]
    [InlineData("""{"metadata":[]}""", 400, "metadata must be an object")]
    [InlineData("""{"metadata":{"name":"a","labels":{"x":1}}}""", 400, "cannot unmarshal number into field metadata.labels.x of type string")]
    public async Task Create_of_what_is_not_valid_is_refused(string body, int code, string message)
    {
        var result = await server.SendAsync("POST", $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps", body);

        result.Code.ShouldBe(code);
        result.Body.Text("message")!.ShouldContain(message);
    }

    [Fact]
    public async Task Create_of_what_is_invalid_names_each_cause()
    {
        var path = $"/apis/apps/v1/namespaces/{await server.NewNamespaceAsync()}/deployments";

        var (code, body) = await server.SendAsync("POST", path, """
            {"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"1"}},"template":{"metadata":{"labels":{"a":"2"}},"spec":{"containers":[{"name":"c"}]}}}}
            """);

        code.ShouldBe(422);
        body.Maps("details", "causes").Select(cause => cause.Text("field")).ShouldBe(["spec.template.metadata.labels", "spec.template.spec.containers[0].image"]);
    }

    [Fact]
    public async Task Create_in_a_namespace_that_is_not_there_is_refused()
    {
        var (code, body) = await server.SendAsync("POST", "/api/v1/namespaces/nowhere/configmaps", ConfigMap);

        (code, body.Text("message")).ShouldBe((404, "namespaces \"nowhere\" not found"));
    }

    [Fact]
    public async Task Create_in_a_namespace_that_goes_is_refused()
    {
        var name = await server.NewNamespaceAsync();
        await server.SendAsync("DELETE", $"/api/v1/namespaces/{name}");

        (await server.SendAsync("POST", $"/api/v1/namespaces/{name}/configmaps", ConfigMap)).Code.ShouldBe(403);
    }

    [Fact]
    public async Task Namespace_starts_with_an_account_and_the_authority()
    {
        var name = await server.NewNamespaceAsync();

        (await server.SendAsync("GET", $"/api/v1/namespaces/{name}/serviceaccounts/default")).Code.ShouldBe(200);
        var (_, map) = await server.SendAsync("GET", $"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt");
        map.Text("data", "ca.crt").ShouldBe(server.Server.AuthorityPem);
    }

    [Fact]
    public async Task Pod_gets_defaults_and_its_token_volume()
    {
        var name = await server.NewNamespaceAsync();

        var (_, pod) = await server.SendAsync("POST", $"/api/v1/namespaces/{name}/pods", """
            {"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host"}]},"status":{"phase":"Running"}}
            """);

        pod.Text("status", "phase").ShouldBe("Pending");
        pod.Text("spec", "serviceAccountName").ShouldBe("default");
        pod.Maps("spec", "containers").Single().Maps("volumeMounts").Single().Text("mountPath").ShouldBe("/var/run/secrets/kubernetes.io/serviceaccount");
    }

    [Fact]
    public async Task Status_and_the_rest_are_written_apart()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/pods";
        await server.SendAsync("POST", path, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host"}]}}""");
        const string change = """{"metadata":{"labels":{"new":"1"}},"status":{"phase":"Running"}}""";

        var (_, byStatus) = await server.SendAsync("PATCH", $"{path}/p/status", change, "application/merge-patch+json");
        var (_, byMain) = await server.SendAsync("PATCH", $"{path}/p", change.Replace("Running", "Failed"), "application/merge-patch+json");

        (byStatus.Text("status", "phase"), byStatus.Text("metadata", "labels", "new")).ShouldBe(("Running", null));
        (byMain.Text("status", "phase"), byMain.Text("metadata", "labels", "new")).ShouldBe(("Running", "1"));
    }

    [Fact]
    public async Task Scale_shows_and_sets_replicas()
    {
        var path = $"/apis/apps/v1/namespaces/{await server.NewNamespaceAsync()}/deployments";
        await server.SendAsync("POST", path, """
            {"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"1"}},"template":{"metadata":{"labels":{"a":"1"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}
            """);

        var (_, scale) = await server.SendAsync("PATCH", $"{path}/d/scale", """{"spec":{"replicas":7}}""", "application/merge-patch+json");
        var (_, deployment) = await server.SendAsync("GET", $"{path}/d");
        var (refused, _) = await server.SendAsync("PATCH", $"{path}/d/scale", """{"spec":{"replicas":-1}}""", "application/merge-patch+json");

        scale.Number("spec", "replicas").ShouldBe(7);
        scale.Text("status", "selector").ShouldBe("a=1");
        deployment.Number("spec", "replicas").ShouldBe(7);
        deployment.Number("metadata", "generation").ShouldBe(2);
        refused.ShouldBe(422);
    }

    [Fact]
    public async Task Patches_at_once_lose_none()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        await server.SendAsync("POST", path, ConfigMap);

        var patches = Enumerable.Range(0, 20).Select(i => server.SendAsync("PATCH", $"{path}/a", $$$"""{"data":{"k{{{i}}}":"x"}}""", "application/merge-patch+json"));
        (await Task.WhenAll(patches)).ShouldAllBe(result => result.Code == 200);

        (await server.SendAsync("GET", $"{path}/a")).Body.Map("data")!.Count.ShouldBe(21);
    }

    [Fact]
    public async Task Patch_that_names_an_old_version_is_a_conflict()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        await server.SendAsync("POST", path, ConfigMap);

        var (code, _) = await server.SendAsync(
            "PATCH", $"{path}/a", """{"metadata":{"resourceVersion":"1"},"data":{"k":"2"}}""", "application/merge-patch+json");

        code.ShouldBe(409);
    }

    [Fact]
    public async Task Unknown_fields_are_refused_when_the_client_is_strict()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        const string body = """{"metadata":{"name":"a"},"dta":{}}""";

        var (strict, told) = await server.SendAsync("POST", $"{path}?fieldValidation=Strict", body);
        var (lenient, created) = await server.SendAsync("POST", path, body);

        strict.ShouldBe(400);
        told.Text("message")!.ShouldEndWith("strict decoding error: unknown field \"dta\"");
        lenient.ShouldBe(201);
        created["dta"].ShouldBeNull();
    }

    [Fact]
    public async Task Ephemeral_containers_are_added_by_their_subresource_alone()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/pods";
        await server.SendAsync("POST", path, """{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"host"}]}}""");
        const string patch = """{"spec":{"ephemeralContainers":[{"name":"debug","image":"host"}],"hostname":"ignored"}}""";
        const string type = "application/strategic-merge-patch+json";

        var (refused, _) = await server.SendAsync("PATCH", $"{path}/p", """{"spec":{"ephemeralContainers":[{"name":"debug","image":"host"}]}}""", type);
        var (taken, pod) = await server.SendAsync("PATCH", $"{path}/p/ephemeralcontainers", patch, type);
        var (changed, _) = await server.SendAsync("PATCH", $"{path}/p/ephemeralcontainers", patch.Replace("\"host\"", "\"other\""), type);

        (refused, taken, changed).ShouldBe((422, 200, 422));
        pod.Maps("spec", "ephemeralContainers").Single().Text("name").ShouldBe("debug");
        pod.Text("spec", "hostname").ShouldBeNull();
    }

    [Fact]
    public async Task A_large_object_is_taken_and_one_too_large_refused()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";

        (await server.SendAsync("POST", path, Large(1000 * 1024))).Code.ShouldBe(201);
        (await server.SendAsync("POST", path, Large(1100 * 1024))).Code.ShouldBe(422);
        (await server.SendAsync("POST", path, Large(3100 * 1024))).Code.ShouldBe(413);

        static string Large(int size) => """{"metadata":{"generateName":"a"},"data":{"k":"VALUE"}}""".Replace("VALUE", new string('x', size));
    }

    [Fact]
    public async Task Patch_of_a_type_that_is_none_is_refused() =>
        (await server.SendAsync("PATCH", "/api/v1/namespaces/default", "{}", "text/plain")).Code.ShouldBe(415);

    [Fact]
    public async Task Delete_of_another_incarnation_is_a_conflict()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        await server.SendAsync("POST", path, ConfigMap);

        (await server.SendAsync("DELETE", $"{path}/a", """{"preconditions":{"uid":"other"}}""")).Code.ShouldBe(409);
    }

    [Fact]
    public async Task Delete_of_a_collection_takes_what_the_selector_names()
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        await server.SendAsync("POST", path, """{"metadata":{"name":"a","labels":{"x":"1"}}}""");
        await server.SendAsync("POST", path, """{"metadata":{"name":"b"}}""");

        await server.SendAsync("DELETE", $"{path}?labelSelector=x");

        (await server.SendAsync("GET", path)).Body.Maps("items").Select(item => item.Name()).ShouldBe(["b", "kube-root-ca.crt"]);
    }
}
