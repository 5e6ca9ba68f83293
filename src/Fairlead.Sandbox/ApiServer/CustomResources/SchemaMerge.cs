using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Patching;

namespace Fairlead.Sandbox.ApiServer.CustomResources;

/// <summary>The merge rules that a custom resource's schema declares (<c>x-kubernetes-list-type</c>, <c>x-kubernetes-map-type</c>).</summary>
internal static class SchemaMerge
{
    public static MergeSchema Of(JsonObject? schema) => schema is null ? BuiltInMergeSchemas.Plain : Convert(schema).With(("metadata", BuiltInMergeSchemas.Plain.Field("metadata")));

    private static MergeSchema Convert(JsonObject schema)
    {
        if (schema.Text("x-kubernetes-map-type") == "atomic" || schema.Text("x-kubernetes-list-type") == "atomic")
        {
            return MergeSchema.Atomic;
        }

        if (schema.Map("items") is { } items)
        {
            return schema.Text("x-kubernetes-list-type") switch
            {
                "set" => MergeSchema.Set,
                "map" => new MergeSchema { ListKeys = [.. schema.Texts("x-kubernetes-list-map-keys")], Items = Convert(items) },
                _ => MergeSchema.Atomic,
            };
        }

        var fields = new Dictionary<string, MergeSchema>();
        foreach (var (name, field) in schema.Map("properties") ?? [])
        {
            if (field is JsonObject known)
            {
                fields[name] = Convert(known);
            }
        }

        return new MergeSchema { Fields = fields, Items = schema.Map("additionalProperties") is { } values ? Convert(values) : null };
    }
}
