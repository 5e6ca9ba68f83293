using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Patching;

/// <summary>
/// The fields that one manager applied, in the form of <c>fieldsV1</c>: a tree of <c>f:NAME</c>, <c>k:{KEYS}</c> and <c>v:VALUE</c>, where
/// <c>.</c> stands for an item itself. What tells a manager's own fields is the leaves.
/// </summary>
internal sealed class FieldSet
{
    private readonly SortedDictionary<string, FieldSet> children = new(StringComparer.Ordinal);

    public static FieldSet Of(JsonObject configuration, MergeSchema schema)
    {
        var set = new FieldSet();
        foreach (var (name, value) in configuration)
        {
            if (name is "apiVersion" or "kind")
            {
                continue;
            }

            var child = OfNode(value, schema.Field(name));
            if (name == "metadata")
            {
                // Its identity is nobody's field.
                child.children.Remove("f:name");
                child.children.Remove("f:namespace");
                if (child.children.Count == 0)
                {
                    continue;
                }
            }

            set.children[$"f:{name}"] = child;
        }

        return set;
    }

    public static FieldSet Parse(JsonObject fields)
    {
        var set = new FieldSet();
        foreach (var (name, child) in fields)
        {
            set.children[name] = child is JsonObject map ? Parse(map) : new FieldSet();
        }

        return set;
    }

    public JsonObject ToJson()
    {
        var result = new JsonObject();
        foreach (var (name, child) in children)
        {
            result[name] = child.ToJson();
        }

        return result;
    }

    /// <summary>Removes these fields from <paramref name="value"/>, but for those that one of <paramref name="kept"/> holds too.</summary>
    public void RemoveFrom(JsonNode value, MergeSchema schema, IReadOnlyList<FieldSet> kept)
    {
        foreach (var (name, child) in children.Where(entry => entry.Key != "."))
        {
            var keepers = kept.Select(set => set.children.GetValueOrDefault(name)).OfType<FieldSet>().ToArray();
            switch (name[..2], value)
            {
                case ("f:", JsonObject map) when map[name[2..]] is { } field:
                    child.RemoveEntry(field, schema.Field(name[2..]), keepers, () => map.Remove(name[2..]));
                    break;
                case ("k:", JsonArray list) when list.FirstOrDefault(item => $"k:{ListItem.KeyOf(item, schema)}" == name) is { } item:
                    child.RemoveEntry(item, schema.Items ?? MergeSchema.Object, keepers, () => list.Remove(item));
                    break;
                case ("v:", JsonArray list) when list.FirstOrDefault(item => $"v:{item?.ToJsonString()}" == name) is { } item:
                    child.RemoveEntry(item, MergeSchema.Object, keepers, () => list.Remove(item));
                    break;
            }
        }
    }

    /// <summary>A scalar, a whole list or map, and an item (<c>.</c>) go themselves; of any other map only the fields go.</summary>
    private void RemoveEntry(JsonNode value, MergeSchema schema, FieldSet[] keepers, Action remove)
    {
        var isOwned = children.Count == 0 || children.ContainsKey(".");
        if (!isOwned || keepers.Length > 0)
        {
            RemoveFrom(value, schema, keepers);
        }

        if (keepers.Length == 0 && (isOwned || value is JsonObject { Count: 0 } or JsonArray { Count: 0 }))
        {
            remove();
        }
    }

    private static FieldSet OfNode(JsonNode? value, MergeSchema schema)
    {
        var set = new FieldSet();
        if (schema.IsAtomic)
        {
            return set;
        }

        switch (value)
        {
            case JsonObject map:
                foreach (var (name, child) in map)
                {
                    set.children[$"f:{name}"] = OfNode(child, schema.Field(name));
                }

                break;
            case JsonArray list when schema.ListKeys.Count > 0:
                foreach (var item in list)
                {
                    var child = OfNode(item, schema.Items ?? MergeSchema.Object);
                    child.children["."] = new FieldSet();
                    set.children[$"k:{ListItem.KeyOf(item, schema)}"] = child;
                }

                break;
            case JsonArray list when schema.IsSet:
                foreach (var item in list)
                {
                    set.children[$"v:{item?.ToJsonString()}"] = new FieldSet();
                }

                break;
        }

        return set;
    }
}
