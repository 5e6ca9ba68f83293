using System.Text.Json.Nodes;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Kubernetes.Client;

public sealed class ApplyTests
{
    private const string CoreResources = """
        {"kind":"APIResourceList","groupVersion":"v1","resources":[
          {"name":"configmaps","namespaced":true,"kind":"ConfigMap"},
          {"name":"namespaces","namespaced":false,"kind":"Namespace"},
          {"name":"namespaces/status","namespaced":false,"kind":"Namespace"}]}
        """;

    [Fact]
    public async Task Apply_finds_the_resource_and_sends_the_object()
    {
        await using var api = await Api();
        using var client = api.Client();
        var map = JsonNode.Parse("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","namespace":"shop"},"data":{"a":"b"}}""")!;

        var applied = await client.ApplyAsync(map, "fairlead", force: true);

        applied["data"]!["a"]!.GetValue<string>().ShouldBe("b");
        var request = api.Requests.Last();
        (request.Method, request.Path, request.Query, request.ContentType).ShouldBe(
            ("PATCH", "/api/v1/namespaces/shop/configmaps/m", "?fieldManager=fairlead&force=true", "application/apply-patch+yaml"));
    }

    [Fact]
    public async Task Apply_without_namespace_uses_the_connections_only_where_one_is_needed()
    {
        await using var api = await Api();
        using var client = new KubernetesClient(new ClusterConnection(api.Url) { Namespace = "mine" });

        await client.ApplyAsync(JsonNode.Parse("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"}}""")!, "fairlead", force: false);
        await client.ApplyAsync(JsonNode.Parse("""{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n"}}""")!, "fairlead", force: false);

        api.Requests.Select(r => r.Path + r.Query).ShouldBe(
            ["/api/v1", "/api/v1/namespaces/mine/configmaps/m?fieldManager=fairlead", "/api/v1/namespaces/n?fieldManager=fairlead"]);
    }

    [Fact]
    public async Task Apply_of_a_kind_whose_definition_is_new_asks_again()
    {
        var established = false;
        await using var api = await MockApi.StartAsync((context, request) => request.Path switch
        {
            "/apis/fairlead.dev/v1alpha1" when !established => MockApi.FailAsync(context, 404, "NotFound"),
            "/apis/fairlead.dev/v1alpha1" => MockApi.AnswerAsync(context, """{"resources":[{"name":"grants","namespaced":true,"kind":"Grant"}]}"""),
            _ => MockApi.AnswerAsync(context, request.Body),
        });
        using var client = api.Client();
        var grant = JsonNode.Parse("""{"apiVersion":"fairlead.dev/v1alpha1","kind":"Grant","metadata":{"name":"g","namespace":"fairlead"}}""")!;

        var e = await Should.ThrowAsync<KubernetesException>(() => client.ApplyAsync(grant, "fairlead", force: true));
        established = true;
        await client.ApplyAsync(grant, "fairlead", force: true);

        e.Message.ShouldContain("no kind Grant in fairlead.dev/v1alpha1");
        api.Requests.Last().Path.ShouldBe("/apis/fairlead.dev/v1alpha1/namespaces/fairlead/grants/g");
    }

    [Fact]
    public async Task Apply_of_a_typed_object_sends_only_what_is_set()
    {
        await using var api = await Api();
        using var client = api.Client();

        await client.ApplyAsync(Resources.ConfigMaps, new ConfigMap { Metadata = { Name = "m", Namespace = "shop" } }, "gateway", force: true);

        api.Requests.Single().Body.ShouldBe("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","namespace":"shop"}}""");
    }

    [Fact]
    public async Task Get_and_delete_by_reference_use_the_same_path()
    {
        await using var api = await Api();
        using var client = api.Client();
        var reference = JsonNode.Parse("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","namespace":"shop"}}""")!;

        (await client.GetAsync(reference)).ShouldNotBeNull();
        (await client.DeleteAsync(reference)).ShouldBeTrue();

        api.Requests.Skip(1).Select(r => $"{r.Method} {r.Path}").ShouldBe(["GET /api/v1/namespaces/shop/configmaps/m", "DELETE /api/v1/namespaces/shop/configmaps/m"]);
    }

    [Theory]
    [InlineData("""{"kind":"ConfigMap","metadata":{"name":"m"}}""", "apiVersion")]
    [InlineData("""{"apiVersion":"v1","metadata":{"name":"m"}}""", "kind")]
    [InlineData("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}""", "metadata.name")]
    [InlineData("""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}}""", "metadata.name")]
    public async Task Apply_of_half_an_object_says_what_is_missing(string json, string missing)
    {
        using var client = new KubernetesClient(new ClusterConnection(new Uri("http://127.0.0.1:1")));

        (await Should.ThrowAsync<ArgumentException>(() => client.ApplyAsync(JsonNode.Parse(json)!, "fairlead", force: true))).Message.ShouldContain(missing);
    }

    private static Task<MockApi> Api() => MockApi.StartAsync((context, request) =>
        MockApi.AnswerAsync(context, request.Path == "/api/v1" ? CoreResources : request.Body.Length > 0 ? request.Body : "{}"));
}
