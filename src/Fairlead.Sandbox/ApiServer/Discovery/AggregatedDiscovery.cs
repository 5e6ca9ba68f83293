using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Discovery;

/// <summary>Discovery in one document (<c>apidiscovery.k8s.io</c>), which saves kubectl a request for each group.</summary>
internal static class AggregatedDiscovery
{
    public static JsonObject Of(IEnumerable<ResourceKind> kinds, string version) => new()
    {
        ["kind"] = "APIGroupDiscoveryList",
        ["apiVersion"] = $"apidiscovery.k8s.io/{version}",
        ["metadata"] = new JsonObject(),
        ["items"] = new JsonArray([.. kinds.GroupBy(kind => kind.Id.Group).Select(Group)]),
    };

    private static JsonObject Group(IGrouping<string, ResourceKind> group)
    {
        var metadata = new JsonObject { ["creationTimestamp"] = null };
        if (group.Key.Length > 0)
        {
            metadata["name"] = group.Key;
        }

        return new JsonObject
        {
            ["metadata"] = metadata,
            ["versions"] = new JsonArray([.. group.GroupBy(kind => kind.Id.Version).Select(Version)]),
        };
    }

    private static JsonObject Version(IGrouping<string, ResourceKind> version) => new()
    {
        ["version"] = version.Key,
        ["resources"] = new JsonArray([.. version.Select(Resource)]),
        ["freshness"] = "Current",
    };

    private static JsonObject Resource(ResourceKind kind)
    {
        var result = new JsonObject
        {
            ["resource"] = kind.Id.Plural,
            ["responseKind"] = Kind(kind.Id.Group, kind.Id.Version, kind.Kind),
            ["scope"] = kind.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = kind.Singular,
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

        if (kind.Subresources.Count > 0)
        {
            result["subresources"] = new JsonArray([.. kind.Subresources.Select(sub => new JsonObject
            {
                ["subresource"] = sub.Name,
                ["responseKind"] = Kind(sub.Group ?? kind.Id.Group, sub.Version ?? kind.Id.Version, sub.Kind),
                ["verbs"] = Texts(sub.Verbs),
            })]);
        }

        return result;
    }

    private static JsonObject Kind(string group, string version, string kind) => new() { ["group"] = group, ["version"] = version, ["kind"] = kind };

    private static JsonArray Texts(IEnumerable<string> items) => new([.. items.Select(item => JsonValue.Create(item))]);
}
