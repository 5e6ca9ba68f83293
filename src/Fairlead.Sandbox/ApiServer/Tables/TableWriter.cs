using System.Text.Json;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer.Kinds;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>Writes objects as a <c>meta.k8s.io/v1 Table</c>, which is what <c>kubectl get</c> shows.</summary>
/// <param name="Kind">Of the rows.</param>
/// <param name="IncludeObject">What each row carries: None, Metadata (default) or Object.</param>
/// <param name="Now">For ages.</param>
internal sealed record TableWriter(ResourceKind Kind, string IncludeObject, DateTimeOffset Now)
{
    private static readonly IReadOnlyList<TableColumn> NameAndAge = [TableColumn.Age];

    private static readonly TableColumn Name = new("Name", "string", static (item, _) => item.Name())
    {
        Format = "name",
        Description = "Name must be unique within a namespace.",
    };

    private IEnumerable<TableColumn> Columns => (Kind.Columns ?? NameAndAge).Prepend(Name);

    public void Write(Utf8JsonWriter writer, IEnumerable<JsonObject> items, Action<Utf8JsonWriter> writeMetadata, bool withColumns = true)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", "Table");
        writer.WriteString("apiVersion", "meta.k8s.io/v1");
        writer.WritePropertyName("metadata");
        writeMetadata(writer);
        writer.WriteStartArray("columnDefinitions");
        foreach (var column in withColumns ? Columns : [])
        {
            writer.WriteStartObject();
            writer.WriteString("name", column.Name);
            writer.WriteString("type", column.Type);
            writer.WriteString("format", column.Format);
            writer.WriteString("description", column.Description);
            writer.WriteNumber("priority", column.Wide ? 1 : 0);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("rows");
        foreach (var item in items)
        {
            WriteRow(writer, item);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private void WriteRow(Utf8JsonWriter writer, JsonObject item)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("cells");
        foreach (var column in Columns)
        {
            if (column.Value(item, Now) is { } cell)
            {
                cell.WriteTo(writer);
            }
            else
            {
                writer.WriteNullValue();
            }
        }

        writer.WriteEndArray();
        if (IncludeObject == "Object")
        {
            writer.WritePropertyName("object");
            item.WriteTo(writer);
        }
        else if (IncludeObject != "None")
        {
            writer.WritePropertyName("object");
            PartialMetadata.Write(writer, item);
        }

        writer.WriteEndObject();
    }
}

/// <summary>An object reduced to its metadata.</summary>
internal static class PartialMetadata
{
    public static void Write(Utf8JsonWriter writer, JsonObject item)
    {
        writer.WriteStartObject();
        writer.WriteString("kind", "PartialObjectMetadata");
        writer.WriteString("apiVersion", "meta.k8s.io/v1");
        writer.WritePropertyName("metadata");
        (item.Map("metadata") ?? []).WriteTo(writer);
        writer.WriteEndObject();
    }
}
