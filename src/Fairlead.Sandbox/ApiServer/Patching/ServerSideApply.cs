using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>
/// Server-side apply without conflicts (https://kubernetes.io/docs/reference/using-api/server-side-apply/): what is applied wins; what the
/// same manager applied before and leaves out now goes, unless another manager applied it too. The fields of each manager are kept in
/// <c>metadata.managedFields</c>, for those who apply only.
/// </summary>
internal static class ServerSideApply
{
    /// <returns>A new tree; the arguments stay as they are.</returns>
    public static JsonObject Apply(JsonObject live, JsonObject applied, MergeSchema schema, string manager, DateTimeOffset now)
    {
        var configuration = applied.Clone();
        configuration.Map("metadata")?.Remove("managedFields");
        configuration.Map("metadata")?.Remove("creationTimestamp");
        var owned = FieldSet.Of(configuration, schema);
        var result = (JsonObject)Merge(live, configuration, schema)!;
        var entries = live.Maps("metadata", "managedFields").ToArray();
        var others = entries.Where(entry => !IsOf(entry, manager)).ToArray();
        if (entries.FirstOrDefault(entry => IsOf(entry, manager)) is { } before)
        {
            var kept = others.Select(entry => FieldSet.Parse(entry.Map("fieldsV1") ?? [])).Append(owned).ToArray();
            FieldSet.Parse(before.Map("fieldsV1") ?? []).RemoveFrom(result, schema, kept);
        }

        var record = new JsonObject
        {
            ["manager"] = manager,
            ["operation"] = "Apply",
            ["apiVersion"] = applied.Text("apiVersion"),
            ["time"] = now.ToTimestamp(),
            ["fieldsType"] = "FieldsV1",
            ["fieldsV1"] = owned.ToJson(),
        };
        KeepTime(record, entries.FirstOrDefault(entry => IsOf(entry, manager)));
        result.Metadata()["managedFields"] = new JsonArray([.. others.Select(entry => entry.DeepClone()), record]);
        return result;
    }

    /// <summary>Applying the same again must change nothing at all, not even a time.</summary>
    private static void KeepTime(JsonObject record, JsonObject? before)
    {
        if (before is not null && JsonNode.DeepEquals(record["fieldsV1"], before["fieldsV1"]))
        {
            record["time"] = before["time"]?.DeepClone();
        }
    }

    private static bool IsOf(JsonObject entry, string manager) => entry.Text("manager") == manager && entry.Text("operation") == "Apply";

    private static JsonNode? Merge(JsonNode? live, JsonNode? applied, MergeSchema schema)
    {
        if (schema.IsAtomic)
        {
            return applied?.DeepClone();
        }

        switch (live, applied)
        {
            case (JsonObject target, JsonObject changes):
                var result = target.Clone();
                foreach (var (name, change) in changes)
                {
                    result[name] = Merge(result[name], change, schema.Field(name));
                }

                return result;
            case (JsonArray target, JsonArray changes) when schema.ListKeys.Count > 0:
                return MergeList(target, changes, schema);
            case (JsonArray target, JsonArray changes) when schema.IsSet:
                var added = changes.Where(item => !target.Any(known => JsonNode.DeepEquals(known, item)));
                return new JsonArray([.. target.Concat(added).Select(item => item?.DeepClone())]);
            default:
                return applied?.DeepClone();
        }
    }

    /// <summary>What is applied comes in its own order, after it what only the live object has.</summary>
    private static JsonArray MergeList(JsonArray live, JsonArray applied, MergeSchema schema)
    {
        var known = new Dictionary<string, JsonNode?>();
        foreach (var item in live)
        {
            known[ListItem.KeyOf(item, schema)] = item;
        }

        var result = new JsonArray();
        foreach (var item in applied)
        {
            known.Remove(ListItem.KeyOf(item, schema), out var present);
            result.Add(Merge(present, item, schema.Items ?? MergeSchema.Object));
        }

        foreach (var item in live.Where(item => known.ContainsKey(ListItem.KeyOf(item, schema))))
        {
            result.Add(item?.DeepClone());
        }

        return result;
    }
}
