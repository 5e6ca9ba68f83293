using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>
/// Strategic merge patch
/// (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md): a merge patch
/// whose lists merge by a key, with directives: <c>$patch</c> (replace, delete, merge), <c>$retainKeys</c>, <c>$setElementOrder/LIST</c>,
/// <c>$deleteFromPrimitiveList/LIST</c>.
/// </summary>
internal static class StrategicMergePatch
{
    private const string Directive = "$patch";
    private const string RetainKeys = "$retainKeys";
    private const string OrderPrefix = "$setElementOrder/";
    private const string DeletePrefix = "$deleteFromPrimitiveList/";

    /// <returns>A new tree; the arguments stay as they are.</returns>
    /// <exception cref="StatusException">400: a directive or a list that can't be understood.</exception>
    public static JsonObject? Apply(JsonObject target, JsonObject patch, MergeSchema schema)
    {
        switch (patch.Text(Directive))
        {
            case "replace":
                var replacement = patch.Clone();
                replacement.Remove(Directive);
                return replacement;
            case "delete":
                return null;
            case null or "merge":
                break;
            case var other:
                throw Failures.BadRequest($"Unknown patch type found: {other}");
        }

        var result = target.Clone();
        if (patch[RetainKeys] is JsonArray)
        {
            var retained = patch.Texts(RetainKeys).ToHashSet();
            foreach (var name in result.Select(entry => entry.Key).Where(name => !retained.Contains(name)).ToArray())
            {
                result.Remove(name);
            }
        }

        foreach (var (name, change) in patch)
        {
            if (name.StartsWith(DeletePrefix))
            {
                RemoveFrom(result, name[DeletePrefix.Length..], change);
            }
            else if (name[0] != '$' || name.Length == 1)
            {
                MergeField(result, name, change, patch, schema.Field(name));
            }
        }

        foreach (var name in patch.Select(entry => entry.Key).Where(name => name.StartsWith(OrderPrefix)))
        {
            var field = name[OrderPrefix.Length..];
            if (result[field] is JsonArray list && patch[name] is JsonArray order)
            {
                result[field] = Ordered(list, order, schema.Field(field).PatchKey);
            }
        }

        return result;
    }

    private static void MergeField(JsonObject result, string name, JsonNode? change, JsonObject patch, MergeSchema schema)
    {
        switch (change)
        {
            case null:
                result.Remove(name);
                break;
            case JsonObject map:
                if (Apply(result[name] as JsonObject ?? [], map, schema) is { } merged)
                {
                    result[name] = merged;
                }
                else
                {
                    result.Remove(name);
                }

                break;
            case JsonArray list when schema.PatchKey is { } key:
                result[name] = MergeByKey(result[name] as JsonArray ?? [], list, key, schema.Items ?? MergeSchema.Object);
                break;
            case JsonArray list when schema.IsSet:
                result[name] = Union(result[name] as JsonArray ?? [], list);
                break;
            default:
                result[name] = change.DeepClone();
                break;
        }
    }

    private static JsonArray MergeByKey(JsonArray target, JsonArray patch, string key, MergeSchema items)
    {
        var changes = patch.Select(item => item as JsonObject ?? throw Failures.BadRequest($"every item of a list that merges by \"{key}\" must be an object")).ToList();
        if (changes.Any(IsReplaceAll))
        {
            return new JsonArray([.. changes.Where(item => !IsReplaceAll(item)).Select(item => item.DeepClone())]);
        }

        var result = target.Select(item => item?.DeepClone()).ToList();
        foreach (var change in changes)
        {
            var identity = change[key] ?? throw Failures.BadRequest($"map: {change.ToJsonString()} does not contain declared merge key: {key}");
            var at = result.FindIndex(item => JsonNode.DeepEquals(item.At(key), identity));
            var merged = Apply(at < 0 ? [] : (JsonObject)result[at]!, change, items);
            if (at >= 0)
            {
                result[at] = merged;
            }
            else
            {
                result.Add(merged);
            }

            result.RemoveAll(item => item is null);
        }

        return new JsonArray([.. result]);

        bool IsReplaceAll(JsonObject item) => item.Text(Directive) == "replace" && !item.ContainsKey(key);
    }

    private static JsonArray Union(JsonArray target, JsonArray patch)
    {
        var added = patch.Where(item => !target.Any(known => JsonNode.DeepEquals(known, item)));
        return new JsonArray([.. target.Concat(added).Select(item => item?.DeepClone())]);
    }

    private static void RemoveFrom(JsonObject result, string name, JsonNode? values)
    {
        if (result[name] is JsonArray list && values is JsonArray gone)
        {
            result[name] = new JsonArray([.. list.Where(item => !gone.Any(value => JsonNode.DeepEquals(value, item))).Select(item => item?.DeepClone())]);
        }
    }

    /// <summary>
    /// Puts what the order names in that order; what only the server has keeps its place after the item that it followed.
    /// </summary>
    private static JsonArray Ordered(JsonArray list, JsonArray order, string? key)
    {
        var wanted = order.Select(Identity).ToList();
        var groups = new Dictionary<string, List<JsonNode?>>();
        var leading = new List<JsonNode?>();
        var current = leading;
        foreach (var item in list)
        {
            if (wanted.Contains(Identity(item)))
            {
                groups[Identity(item)] = current = [];
            }

            current.Add(item);
        }

        var sorted = leading.Concat(wanted.Distinct().Where(groups.ContainsKey).SelectMany(identity => groups[identity]));
        return new JsonArray([.. sorted.Select(item => item?.DeepClone())]);

        string Identity(JsonNode? item) => (key is null ? item : item.At(key))?.ToJsonString() ?? "null";
    }
}
