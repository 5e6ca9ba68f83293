using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;
using Fairlead.Sandbox.ApiServer.Tables;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Http;

/// <summary>Writes objects of one kind in the form that a request asks for.</summary>
internal sealed class ObjectReply(ResourceKind kind, Representation representation, TableWriter table)
{
    public static ObjectReply For(HttpRequest request, ResourceKind kind, DateTimeOffset now) =>
        new(kind, request.RepresentationOf(), new TableWriter(kind, request.Query["includeObject"].ToString(), now));

    public void WriteOne(Utf8JsonWriter writer, JsonObject item)
    {
        switch (representation)
        {
            case Representation.Table:
                table.Write(writer, [item], metadata => Metadata(metadata, item.Text("metadata", "resourceVersion")));
                break;
            default:
                WriteItem(writer, item);
                break;
        }
    }

    public void WriteList(Utf8JsonWriter writer, IReadOnlyList<JsonObject> items, long version, string? next, int remaining)
    {
        if (representation == Representation.Table)
        {
            table.Write(writer, items, metadata => Metadata(metadata, version.ToString(), next, remaining));
            return;
        }

        var isPartial = representation == Representation.PartialMetadata;
        writer.WriteStartObject();
        writer.WriteString("kind", isPartial ? "PartialObjectMetadataList" : kind.ListKind);
        writer.WriteString("apiVersion", isPartial ? "meta.k8s.io/v1" : kind.ApiVersion);
        writer.WritePropertyName("metadata");
        Metadata(writer, version.ToString(), next, remaining);
        writer.WriteStartArray("items");
        foreach (var item in items)
        {
            WriteItem(writer, item);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>One event of a watch; in a table only the first has the columns.</summary>
    public void WriteEvent(Utf8JsonWriter writer, string type, JsonObject item, bool isFirst)
    {
        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WritePropertyName("object");
        if (representation == Representation.Table)
        {
            var rows = type == "BOOKMARK" ? Enumerable.Empty<JsonObject>() : [item];
            table.Write(writer, rows, metadata => Metadata(metadata, item.Text("metadata", "resourceVersion")), isFirst);
        }
        else
        {
            WriteItem(writer, item);
        }

        writer.WriteEndObject();
    }

    private void WriteItem(Utf8JsonWriter writer, JsonObject item)
    {
        if (representation == Representation.PartialMetadata)
        {
            PartialMetadata.Write(writer, item);
        }
        else if (kind.StorageId == kind.Id)
        {
            item.WriteTo(writer);
        }
        else
        {
            // Conversion between versions of a custom resource changes nothing but the version.
            var converted = item.Clone();
            converted["apiVersion"] = kind.ApiVersion;
            converted.WriteTo(writer);
        }
    }

    private static void Metadata(Utf8JsonWriter writer, string? version, string? next = null, int remaining = 0)
    {
        writer.WriteStartObject();
        writer.WriteString("resourceVersion", version);
        if (next is not null)
        {
            writer.WriteString("continue", next);
            writer.WriteNumber("remainingItemCount", remaining);
        }

        writer.WriteEndObject();
    }
}
