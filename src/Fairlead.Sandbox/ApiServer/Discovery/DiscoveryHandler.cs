using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Http;
using Fairlead.Sandbox.ApiServer.Kinds;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Discovery;

/// <summary>What the server says of itself: health, version, the resources that it has, and as much of OpenAPI as kubectl needs.</summary>
internal sealed class DiscoveryHandler(KindTable kinds)
{
    /// <summary>The Kubernetes whose API this is a subset of.</summary>
    private const string Minor = "32";

    public Task HandleAsync(HttpContext context)
    {
        if (context.Request.Method is not ("GET" or "HEAD"))
        {
            throw Failures.NoSuchPath();
        }

        var path = (context.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return path switch
        {
            ["healthz" or "livez" or "readyz", ..] => context.Response.ReplyTextAsync("ok", context.RequestAborted),
            ["version"] => ReplyAsync(context, Version()),
            ["api"] => Aggregated(context) is { } version ? ReplyAggregatedAsync(context, version, isCore: true) : ReplyAsync(context, ResourceLists.CoreVersions()),
            ["apis"] => Aggregated(context) is { } version
                ? ReplyAggregatedAsync(context, version, isCore: false)
                : ReplyAsync(context, ResourceLists.Groups(kinds.All)),
            ["api", "v1"] => ReplyAsync(context, ResourceLists.Resources(kinds.All, "", "v1")),
            ["apis", var group] => ReplyAsync(context, ResourceLists.Group(kinds.All, group)),
            ["apis", var group, var version] => ReplyAsync(context, ResourceLists.Resources(kinds.All, group, version)),
            ["openapi", "v3"] => ReplyAsync(context, OpenApi.Index(kinds.All)),
            ["openapi", "v3", "api", var version] => ReplyAsync(context, OpenApi.Document(kinds.All, "", version)),
            ["openapi", "v3", "apis", var group, var version] => ReplyAsync(context, OpenApi.Document(kinds.All, group, version)),
            [] => ReplyAsync(context, Paths()),
            _ => throw Failures.NoSuchPath(),
        };
    }

    private static Task ReplyAsync(HttpContext context, JsonObject body) => context.Response.ReplyAsync(200, body, context.RequestAborted);

    /// <summary>The version of the aggregated form that the client asks for (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery).</summary>
    private static string? Aggregated(HttpContext context) =>
        context.Request.GetTypedHeaders().Accept
            .Where(type => type.Parameters.Any(parameter => parameter.Name == "as" && parameter.Value == "APIGroupDiscoveryList"))
            .Select(type => type.Parameters.FirstOrDefault(parameter => parameter.Name == "v")?.Value.Value)
            .FirstOrDefault(version => version is "v2" or "v2beta1");

    private async Task ReplyAggregatedAsync(HttpContext context, string version, bool isCore)
    {
        var list = AggregatedDiscovery.Of(kinds.All.Where(kind => kind.Id.Group.Length == 0 == isCore), version);
        await context.Response.ReplyAsync(
            writer =>
            {
                context.Response.ContentType = $"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList";
                list.WriteTo(writer);
            },
            context.RequestAborted);
    }

    private JsonObject Paths()
    {
        var groups = kinds.All.Where(kind => kind.Id.Group.Length > 0).Select(kind => kind.Id).Select(id => (id.Group, id.Version)).Distinct();
        var paths = groups.SelectMany(id => (string[])[$"/apis/{id.Group}", $"/apis/{id.Group}/{id.Version}"]);
        string[] all = ["/api", "/api/v1", "/apis", .. paths.Distinct(), "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"];
        return new JsonObject { ["paths"] = new JsonArray([.. all.Select(path => JsonValue.Create(path))]) };
    }

    private static JsonObject Version() => new()
    {
        ["major"] = "1",
        ["minor"] = Minor,
        ["gitVersion"] = $"v1.{Minor}.0+fairlead-sandbox",
        ["gitCommit"] = "",
        ["gitTreeState"] = "",
        ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "",
        ["compiler"] = ".NET",
        ["platform"] = "linux/amd64",
    };
}
