using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Discovery;

/// <summary>
/// As much OpenAPI v3 as kubectl reads before it writes: that every kind takes <c>fieldValidation</c> (so that the server validates, not
/// kubectl), and the schemas of custom resources. Built-in kinds have no schema here; kubectl knows them itself.
/// </summary>
internal static class OpenApi
{
    public static JsonObject Index(IEnumerable<ResourceKind> kinds)
    {
        var paths = new JsonObject();
        foreach (var kind in kinds.DistinctBy(kind => kind.ApiVersion))
        {
            var path = PathOf(kind);
            paths[path] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}" };
        }

        return new JsonObject { ["paths"] = paths };
    }

    /// <exception cref="StatusException">404: no such group or version.</exception>
    public static JsonObject Document(IEnumerable<ResourceKind> kinds, string group, string version)
    {
        var members = kinds.Where(kind => kind.Id.Group == group && kind.Id.Version == version).ToArray();
        if (members.Length == 0)
        {
            throw Failures.NoSuchPath();
        }

        var (paths, schemas) = (new JsonObject(), new JsonObject());
        foreach (var kind in members)
        {
            var scope = kind.Namespaced ? "/namespaces/{namespace}" : "";
            paths[$"/{PathOf(kind)}{scope}/{kind.Id.Plural}/{{name}}"] = new JsonObject { ["patch"] = PatchOf(kind) };
            schemas[SchemaName(kind)] = SchemaOf(kind);
        }

        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = new JsonObject { ["title"] = "Fairlead sandbox", ["version"] = "v1" },
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas },
        };
    }

    private static JsonObject PatchOf(ResourceKind kind)
    {
        var parameters = ((string[])["dryRun", "fieldManager", "fieldValidation"]).Select(name => new JsonObject
        {
            ["name"] = name,
            ["in"] = "query",
            ["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true },
        });
        return new JsonObject
        {
            ["parameters"] = new JsonArray([.. parameters]),
            ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
            ["x-kubernetes-action"] = "patch",
            ["x-kubernetes-group-version-kind"] = GroupVersionKind(kind),
        };
    }

    private static JsonObject SchemaOf(ResourceKind kind)
    {
        var schema = kind.Custom?.Schema?.Clone() ?? new JsonObject { ["type"] = "object" };
        schema["x-kubernetes-group-version-kind"] = new JsonArray(GroupVersionKind(kind));
        return schema;
    }

    private static string SchemaName(ResourceKind kind) =>
        $"{(kind.Id.Group.Length == 0 ? "io.k8s.api.core" : kind.Id.Group)}.{kind.Id.Version}.{kind.Kind}";

    private static string PathOf(ResourceKind kind) => kind.Id.Group.Length == 0 ? $"api/{kind.Id.Version}" : $"apis/{kind.Id.Group}/{kind.Id.Version}";

    private static JsonObject GroupVersionKind(ResourceKind kind) =>
        new() { ["group"] = kind.Id.Group, ["version"] = kind.Id.Version, ["kind"] = kind.Kind };
}
