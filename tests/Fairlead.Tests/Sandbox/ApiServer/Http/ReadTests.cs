using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;

namespace Fairlead.Tests.Sandbox.ApiServer.Http;

public sealed class ReadTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string AsTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

    [Fact]
    public async Task List_by_pages_shows_one_state()
    {
        var path = await FillAsync(5);

        var (_, first) = await server.SendAsync("GET", $"{path}?limit=2&labelSelector=mine");
        await server.SendAsync("DELETE", $"{path}/m4");
        var (_, second) = await server.SendAsync("GET", $"{path}?limit=2&continue={first.Text("metadata", "continue")}");
        var (_, third) = await server.SendAsync("GET", $"{path}?limit=2&continue={second.Text("metadata", "continue")}");

        first.Number("metadata", "remainingItemCount").ShouldBe(3);
        string[] names = [.. Names(first), .. Names(second), .. Names(third)];
        names.ShouldBe(["m0", "m1", "m2", "m3", "m4"]);
        third.Text("metadata", "continue").ShouldBeNull();
        third.Text("metadata", "resourceVersion").ShouldBe(first.Text("metadata", "resourceVersion"));
    }

    [Fact]
    public async Task List_by_a_page_that_is_gone_has_expired()
    {
        (await server.SendAsync("GET", $"/api/v1/configmaps?continue={Guid.NewGuid():N}.2")).Code.ShouldBe(410);
        (await server.SendAsync("GET", "/api/v1/configmaps?continue=nonsense")).Code.ShouldBe(400);
    }

    [Fact]
    public async Task List_as_a_table_has_columns_and_rows()
    {
        var path = await FillAsync(1);

        var (_, table) = await server.SendAsync("GET", $"{path}?labelSelector=mine", accept: AsTable);

        table.Text("kind").ShouldBe("Table");
        table.Maps("columnDefinitions").Select(column => column.Text("name")).ShouldBe(["Name", "Data", "Age"]);
        var row = table.Maps("rows").Single();
        row["cells"]!.AsArray().Take(2).Select(cell => cell!.ToString()).ShouldBe(["m0", "1"]);
        row.Text("object", "kind").ShouldBe("PartialObjectMetadata");
    }

    [Fact]
    public async Task Get_as_metadata_has_nothing_else()
    {
        var path = await FillAsync(1);

        var (_, item) = await server.SendAsync("GET", $"{path}/m0", accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");

        item.Select(field => field.Key).ShouldBe(["kind", "apiVersion", "metadata"], ignoreOrder: true);
    }

    [Fact]
    public async Task Get_in_a_form_that_is_not_there_is_refused() =>
        (await server.SendAsync("GET", "/api/v1/namespaces", accept: "application/yaml")).Code.ShouldBe(406);

    [Fact]
    public async Task Watch_goes_on_where_the_list_was()
    {
        var path = await FillAsync(1);
        var version = (await server.SendAsync("GET", path)).Body.Text("metadata", "resourceVersion");
        using var watch = await server.OpenAsync($"{path}?watch=true&resourceVersion={version}");

        await server.SendAsync("PATCH", $"{path}/m0", """{"data":{"k":"2"}}""", "application/merge-patch+json");
        await server.SendAsync("DELETE", $"{path}/m0");

        (await NextAsync(watch)).ShouldBe("MODIFIED m0");
        (await NextAsync(watch)).ShouldBe("DELETED m0");
    }

    [Fact]
    public async Task Watch_without_a_version_begins_with_what_there_is()
    {
        var path = await FillAsync(2);
        using var watch = await server.OpenAsync($"{path}?watch=true&labelSelector=mine");

        (await NextAsync(watch)).ShouldBe("ADDED m0");
        (await NextAsync(watch)).ShouldBe("ADDED m1");
    }

    [Fact]
    public async Task Watch_with_a_selector_sees_objects_come_and_go()
    {
        var path = await FillAsync(1);
        using var watch = await server.OpenAsync($"{path}?watch=true&labelSelector=chosen");

        await LabelAsync(path, "\"1\"");
        await LabelAsync(path, "\"2\"");
        await LabelAsync(path, "null");
        await LabelAsync(path, "\"3\"");
        await server.SendAsync("DELETE", $"{path}/m0");

        foreach (var expected in (string[])["ADDED m0", "MODIFIED m0", "DELETED m0", "ADDED m0", "DELETED m0"])
        {
            (await NextAsync(watch)).ShouldBe(expected);
        }
    }

    [Fact]
    public async Task Watch_ends_with_a_bookmark_when_its_time_is_up()
    {
        var path = await FillAsync(1);
        var version = (await server.SendAsync("GET", path)).Body.Text("metadata", "resourceVersion");
        using var watch = await server.OpenAsync($"{path}?watch=true&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=1");

        var bookmark = JsonNode.Parse((await watch.ReadLineAsync(TestContext.Current.CancellationToken))!)!;

        bookmark.Text("type").ShouldBe("BOOKMARK");
        bookmark.Text("object", "metadata", "resourceVersion").ShouldBe(version);
        (await watch.ReadLineAsync(TestContext.Current.CancellationToken)).ShouldBeNull();
    }

    [Fact]
    public async Task Watch_from_a_version_of_another_cluster_has_expired()
    {
        using var watch = await server.OpenAsync("/api/v1/configmaps?watch=true&resourceVersion=99999999");

        var failure = JsonNode.Parse((await watch.ReadLineAsync(TestContext.Current.CancellationToken))!)!;

        failure.Text("type").ShouldBe("ERROR");
        failure.Number("object", "code").ShouldBe(410);
    }

    [Theory]
    [InlineData("/api/v1/gadgets", 404)]
    [InlineData("/apis/apps/v9/deployments", 404)]
    [InlineData("/nothing", 404)]
    [InlineData("/api/v1/namespaces/default/configmaps/a/b/c", 404)]
    [InlineData("/api/v1/namespaces/default/nodes", 404)]
    [InlineData("/api/v1/namespaces/default/pods/p/proxy", 404)]
    [InlineData("/api/v1/pods?labelSelector=a=(", 400)]
    [InlineData("/api/v1/pods?fieldSelector=spec.secret=1", 400)]
    [InlineData("/api/v1/pods?limit=x", 400)]
    [InlineData("/api/v1/pods?watch=true&sendInitialEvents=true", 400)]
    public async Task Get_of_what_is_not_there_is_refused_with_a_status(string path, int code)
    {
        var result = await server.SendAsync("GET", path);

        (result.Code, result.Body.Text("kind")).ShouldBe((code, "Status"));
    }

    [Fact]
    public async Task Discovery_agrees_in_both_forms()
    {
        const string aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

        var (_, groups) = await server.SendAsync("GET", "/apis");
        var (_, whole) = await server.SendAsync("GET", "/apis", accept: aggregated);

        whole.Maps("items").Select(group => group.Name()).ShouldBe(groups.Maps("groups").Select(group => group.Text("name")));
        foreach (var group in whole.Maps("items"))
        {
            var version = group.Maps("versions").Single();
            var (_, list) = await server.SendAsync("GET", $"/apis/{group.Name()}/{version.Text("version")}");
            var single = list.Maps("resources").Select(resource => resource.Text("name")!).Where(name => !name.Contains('/'));
            single.ShouldBe(version.Maps("resources").Select(resource => resource.Text("resource")));
        }
    }

    private async Task<string> FillAsync(int count)
    {
        var path = $"/api/v1/namespaces/{await server.NewNamespaceAsync()}/configmaps";
        for (var i = 0; i < count; i++)
        {
            var metadata = new JsonObject { ["name"] = $"m{i}", ["labels"] = new JsonObject { ["mine"] = "1" } };
            await server.SendAsync("POST", path, new JsonObject { ["metadata"] = metadata, ["data"] = new JsonObject { ["k"] = "1" } }.ToJsonString());
        }

        return path;
    }

    private Task LabelAsync(string path, string value) =>
        server.SendAsync("PATCH", $"{path}/m0", "{\"metadata\":{\"labels\":{\"chosen\":" + value + "}}}", "application/merge-patch+json");

    private static IEnumerable<string> Names(JsonObject list) => list.Maps("items").Select(item => item.Name());

    private static async Task<string> NextAsync(StreamReader watch)
    {
        var change = JsonNode.Parse((await watch.ReadLineAsync(TestContext.Current.CancellationToken))!)!;
        return $"{change.Text("type")} {change.Text("object", "metadata", "name")}";
    }
}
