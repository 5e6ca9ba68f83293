using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Discovery;

/// <summary>Discovery in its first form: a document for each group and version.</summary>
internal static class ResourceLists
{
    public static JsonObject CoreVersions() => new() { ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1") };

    public static JsonObject Groups(IEnumerable<ResourceKind> kinds) => new()
    {
        ["kind"] = "APIGroupList",
        ["apiVersion"] = "v1",
        ["groups"] = new JsonArray([.. kinds.Where(kind => kind.Id.Group.Length > 0).GroupBy(kind => kind.Id.Group).Select(Describe)]),
    };

    /// <exception cref="StatusException">404: no such group.</exception>
    public static JsonObject Group(IEnumerable<ResourceKind> kinds, string group)
    {
        var members = kinds.Where(kind => kind.Id.Group == group).GroupBy(kind => kind.Id.Group).FirstOrDefault() ?? throw Failures.NoSuchPath();
        var result = Describe(members);
        result["kind"] = "APIGroup";
        result["apiVersion"] = "v1";
        return result;
    }

    /// <exception cref="StatusException">404: no such group or version.</exception>
    public static JsonObject Resources(IEnumerable<ResourceKind> kinds, string group, string version)
    {
        var members = kinds.Where(kind => kind.Id.Group == group && kind.Id.Version == version).ToArray();
        if (members.Length == 0)
        {
            throw Failures.NoSuchPath();
        }

        return new JsonObject
        {
            ["kind"] = "APIResourceList",
            ["apiVersion"] = "v1",
            ["groupVersion"] = members[0].ApiVersion,
            ["resources"] = new JsonArray([.. members.SelectMany(kind => kind.Subresources.Select(sub => Describe(kind, sub)).Prepend(Describe(kind)))]),
        };
    }

    private static JsonObject Describe(IGrouping<string, ResourceKind> group)
    {
        var versions = group.Select(kind => kind.Id.Version).Distinct().Select(version => (JsonNode)Version(group.Key, version)).ToArray();
        return new JsonObject
        {
            ["name"] = group.Key,
            ["versions"] = new JsonArray(versions),
            ["preferredVersion"] = versions[0].DeepClone(),
        };
    }

    private static JsonObject Version(string group, string version) => new() { ["groupVersion"] = $"{group}/{version}", ["version"] = version };

    private static JsonObject Describe(ResourceKind kind)
    {
        var result = new JsonObject
        {
            ["name"] = kind.Id.Plural,
            ["singularName"] = kind.Singular,
            ["namespaced"] = kind.Namespaced,
            ["kind"] = kind.Kind,
            ["verbs"] = Texts(kind.Verbs),
        };
        if (kind.ShortNames.Count > 0)
        {
            result["shortNames"] = Texts(kind.ShortNames);
        }

        if (kind.Categories.Count > 0)
        {
            result["categories"] = Texts(kind.Categories);
        }

        return result;
    }

    private static JsonObject Describe(ResourceKind kind, Subresource sub)
    {
        var result = new JsonObject
        {
            ["name"] = $"{kind.Id.Plural}/{sub.Name}",
            ["singularName"] = "",
            ["namespaced"] = kind.Namespaced,
            ["kind"] = sub.Kind,
            ["verbs"] = Texts(sub.Verbs),
        };
        if (sub.Group is not null)
        {
            result["group"] = sub.Group;
            result["version"] = sub.Version;
        }

        return result;
    }

    private static JsonArray Texts(IEnumerable<string> items) => new([.. items.Select(item => JsonValue.Create(item))]);
}
