using System.Text.Json.Nodes;

namespace Fairlead.Testbed.Clusters;

/// <summary>The shop's objects as any cluster takes them.</summary>
internal static class ShopWorkload
{
    public const string NameLabel = "app.kubernetes.io/name";

    /// <summary>The shop has no image of its own on a cluster, its program comes with the gateway's; and its database keeps nothing, so that it takes no storage.</summary>
    public static JsonObject For(JsonObject value, string image)
    {
        if (value["spec"]?["template"]?["spec"] is not JsonObject pod)
        {
            return value;
        }

        foreach (var container in pod["containers"]!.AsArray().Where(c => c!["image"]!.GetValue<string>() == "fairlead/shop:dev"))
        {
            container!["image"] = image;
            container["imagePullPolicy"] = "IfNotPresent";
            container["command"] = new JsonArray("/opt/shop/fairlead-shop");
        }

        if (value["spec"]!["volumeClaimTemplates"] is JsonArray claims)
        {
            value["spec"]!.AsObject().Remove("volumeClaimTemplates");
            var volumes = pod["volumes"] as JsonArray ?? [];
            pod["volumes"] = new JsonArray([.. volumes.Select(v => v!.DeepClone()), .. claims.Select(c => new JsonObject { ["name"] = c!["metadata"]!["name"]!.DeepClone(), ["emptyDir"] = new JsonObject() })]);
        }

        return value;
    }
}
