using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;

namespace Fairlead.Tests.Kubernetes.Client;

public sealed class ListTests
{
    [Fact]
    public async Task List_in_pages_gives_every_item_once()
    {
        await using var api = await MockApi.StartAsync((context, request) => MockApi.AnswerAsync(context,
            request.Query.Contains("continue=p2", StringComparison.Ordinal) ? Page("9", null, "c")
            : request.Query.Contains("continue=p1", StringComparison.Ordinal) ? Page("9", "p2", "b")
            : Page("9", "p1", "a")));
        using var client = api.Client();

        var list = await client.ListAsync(Resources.ConfigMaps, "shop", "app=shop,tier!=db", "metadata.name!=x");

        list.Items.Select(i => i.Metadata.Name).ShouldBe(["a", "b", "c"]);
        list.ResourceVersion.ShouldBe("9");
        api.Requests.ShouldAllBe(r => r.Query.Contains("limit=500") && r.Query.Contains("labelSelector=app%3Dshop%2Ctier%21%3Ddb") && r.Query.Contains("fieldSelector=metadata.name%21%3Dx"));
    }

    [Fact]
    public async Task List_that_expires_between_pages_is_read_whole()
    {
        await using var api = await MockApi.StartAsync((context, request) =>
            request.Query.Contains("continue", StringComparison.Ordinal) ? MockApi.FailAsync(context, 410, "Expired")
            : MockApi.AnswerAsync(context, request.Query.Contains("limit", StringComparison.Ordinal) ? Page("9", "p1", "a") : Page("12", null, "b", "c")));
        using var client = api.Client();

        var list = await client.ListAsync(Resources.ConfigMaps, "shop");

        list.Items.Select(i => i.Metadata.Name).ShouldBe(["b", "c"]);
        list.ResourceVersion.ShouldBe("12");
    }

    [Fact]
    public async Task List_of_all_namespaces_names_none()
    {
        await using var api = await MockApi.StartAsync((context, _) => MockApi.AnswerAsync(context, Page("1", null)));
        using var client = api.Client();

        (await client.ListAsync(Resources.EndpointSlices)).Items.ShouldBeEmpty();

        api.Requests.Single().Path.ShouldBe("/apis/discovery.k8s.io/v1/endpointslices");
    }

    [Theory]
    [InlineData("""{"metadata":{"resourceVersion":"5"},"items":null,"kind":"ConfigMapList"}""", 0)]
    [InlineData("""{"items":[{"metadata":{"name":"a"}}],"extra":{"deep":[{}]},"metadata":{"resourceVersion":"5"}}""", 1)]
    public void Page_in_any_order_is_understood(string json, int items)
    {
        var page = ListPage<ConfigMap>.Parse(System.Text.Encoding.UTF8.GetBytes(json), Resources.ConfigMaps);

        page.Items.Count.ShouldBe(items);
        page.ResourceVersion.ShouldBe("5");
        page.Items.ShouldAllBe(i => i.Kind == "ConfigMap" && i.ApiVersion == "v1");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"metadata":{"resourceVersion":"5"},"items":[null]}""")]
    [InlineData("""{"metadata":{"resourceVersion":"5"},"items":{}}""")]
    [InlineData("""{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}}""")]
    [InlineData("""{"metadata":{"resourceVersion":"5"},"items":[{"data":{"k":{}}}]}""")]
    public void Page_that_is_no_list_is_an_error(string json) =>
        Should.Throw<System.Text.Json.JsonException>(() => ListPage<ConfigMap>.Parse(System.Text.Encoding.UTF8.GetBytes(json), Resources.ConfigMaps));

    private static string Page(string version, string? next, params string[] names)
    {
        var items = string.Join(',', names.Select(n => $$$"""{"metadata":{"name":"{{{n}}}"}}"""));
        return $$"""{"kind":"ConfigMapList","metadata":{"resourceVersion":"{{version}}","continue":"{{next}}"},"items":[{{items}}]}""";
    }
}
