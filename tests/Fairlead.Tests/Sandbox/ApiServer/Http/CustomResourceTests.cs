using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class CustomResourceTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string Definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    private int plurals;

    [Fact]
    public async Task Definition_is_served_at_once()
    {
        var path = await DefineAsync("served");

        var (code, created) = await server.SendAsync("POST", path, """{"metadata":{"name":"a"},"spec":{"size":1},"junk":1}""");
        var (_, table) = await server.SendAsync("GET", path, accept: "application/json;as=Table;v=v1;g=meta.k8s.io");
        var (_, definition) = await server.SendAsync("GET", $"{Definitions}/served.example.com");

        code.ShouldBe(201);
        created["junk"].ShouldBeNull();
        created.Number("metadata", "generation").ShouldBe(1);
        table.Maps("rows").Single()["cells"]!.AsArray().Select(cell => cell!.ToString()).ShouldBe(["a", "1"]);
        definition.Maps("status", "conditions").Select(condition => condition.Text("type")).ShouldBe(["NamesAccepted", "Established"]);
    }

    [Fact]
    public async Task Object_that_does_not_fit_is_refused_with_its_paths()
    {
        var path = await DefineAsync("checked");

        var (code, body) = await server.SendAsync("POST", path, """{"metadata":{"name":"a"},"spec":{"size":11}}""");
        var (strict, told) = await server.SendAsync("POST", $"{path}?fieldValidation=Strict", """{"metadata":{"name":"a"},"spec":{"size":1,"odd":1}}""");

        (code, body.Maps("details", "causes").Single().Text("field")).ShouldBe((422, "spec.size"));
        strict.ShouldBe(400);
        told.Text("message")!.ShouldContain("unknown field \"spec.odd\"");
    }

    [Fact]
    public async Task Status_is_apart_and_versions_are_one_object()
    {
        var path = await DefineAsync("versioned");
        await server.SendAsync("POST", path, """{"metadata":{"name":"a"},"spec":{"size":1},"status":{"ready":true}}""");

        var (_, before) = await server.SendAsync("GET", $"{path}/a");
        var (_, after) = await server.SendAsync("PATCH", $"{path}/a/status", """{"status":{"ready":true}}""", "application/merge-patch+json");
        var (_, other) = await server.SendAsync("GET", $"{path.Replace("/v1/", "/v2/")}/a");

        before["status"].ShouldBeNull();
        after.Flag("status", "ready").ShouldBe(true);
        after.Number("metadata", "generation").ShouldBe(1);
        (other.Text("apiVersion"), other.Uid()).ShouldBe(("example.com/v2", before.Uid()));
    }

    [Fact]
    public async Task Strategic_patch_is_refused_and_apply_merges_lists_by_key()
    {
        var path = await DefineAsync("merged");
        const string apply = "application/apply-patch+yaml";
        await server.SendAsync("PATCH", $"{path}/a?fieldManager=x", """{"metadata":{"name":"a"},"spec":{"size":1,"items":[{"name":"one"}]}}""", apply);

        var (_, merged) = await server.SendAsync("PATCH", $"{path}/a?fieldManager=y", """{"metadata":{"name":"a"},"spec":{"items":[{"name":"two"}]}}""", apply);
        var (code, _) = await server.SendAsync("PATCH", $"{path}/a", "{}", "application/strategic-merge-patch+json");

        merged.Maps("spec", "items").Select(item => item.Text("name")).ShouldBe(["two", "one"]);
        code.ShouldBe(415);
    }

    [Fact]
    public async Task Deleting_a_definition_deletes_its_objects()
    {
        var path = await DefineAsync("deleted");
        await server.SendAsync("POST", path, """{"metadata":{"name":"held","finalizers":["example.com/hold"]},"spec":{"size":1}}""");
        await server.SendAsync("POST", path, """{"metadata":{"name":"free"},"spec":{"size":1}}""");

        await server.SendAsync("DELETE", $"{Definitions}/deleted.example.com");
        var (_, left) = await server.SendAsync("GET", path);
        await server.SendAsync("PATCH", $"{path}/held", """{"metadata":{"finalizers":null}}""", "application/merge-patch+json");

        left.Maps("items").Select(item => item.Name()).ShouldBe(["held"]);
        (await server.SendAsync("GET", path)).Code.ShouldBe(404);
        (await server.SendAsync("GET", $"{Definitions}/deleted.example.com")).Code.ShouldBe(404);
    }

    [Theory]
    [InlineData("spec.group", "apps")]
    [InlineData("metadata.name", "other.example.com")]
    public async Task Definition_that_is_not_valid_is_refused(string field, string value)
    {
        var definition = Definition($"bad{Interlocked.Increment(ref plurals)}");
        var steps = field.Split('.');
        definition[steps[0]]![steps[1]] = value;

        var (code, body) = await server.SendAsync("POST", Definitions, definition.ToJsonString());

        code.ShouldBe(422);
        body.Maps("details", "causes").Select(cause => cause.Text("field")).ShouldContain(field);
    }

    private async Task<string> DefineAsync(string plural)
    {
        (await server.SendAsync("POST", Definitions, Definition(plural).ToJsonString())).Code.ShouldBe(201);
        return $"/apis/example.com/v1/namespaces/default/{plural}";
    }

    private static JsonObject Definition(string plural)
    {
        const string schema = """
            {"type":"object","properties":{
              "spec":{"type":"object","properties":{
                "size":{"type":"integer","maximum":10},
                "items":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],
                         "items":{"type":"object","properties":{"name":{"type":"string"}}}}}},
              "status":{"type":"object","properties":{"ready":{"type":"boolean"}}}}}
            """;
        var versions = ((string[])["v1", "v2"]).Select(JsonNode? (version) => new JsonObject
        {
            ["name"] = version,
            ["served"] = true,
            ["storage"] = version == "v1",
            ["subresources"] = new JsonObject { ["status"] = new JsonObject() },
            ["additionalPrinterColumns"] = new JsonArray(new JsonObject { ["name"] = "Size", ["type"] = "integer", ["jsonPath"] = ".spec.size" }),
            ["schema"] = new JsonObject { ["openAPIV3Schema"] = JsonNode.Parse(schema) },
        });
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = $"{plural}.example.com" },
            ["spec"] = new JsonObject
            {
                ["group"] = "example.com",
                ["scope"] = "Namespaced",
                ["names"] = new JsonObject { ["plural"] = plural, ["kind"] = $"Kind{plural}" },
                ["versions"] = new JsonArray([.. versions]),
            },
        };
    }
}
