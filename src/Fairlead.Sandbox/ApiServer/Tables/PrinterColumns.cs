using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>The columns that a CustomResourceDefinition asks for (<c>additionalPrinterColumns</c>).</summary>
internal static class PrinterColumns
{
    private static readonly IReadOnlyList<TableColumn> Default = [TableColumn.Age];

    public static IReadOnlyList<TableColumn> Of(JsonObject version)
    {
        var columns = version.Maps("additionalPrinterColumns").Select(Column).ToArray();
        return columns.Length == 0 ? Default : columns;
    }

    private static TableColumn Column(JsonObject column)
    {
        var type = column.Text("type") ?? "string";
        var path = JsonPath.Parse(column.Text("jsonPath") ?? "");
        return new TableColumn(column.Text("name") ?? "", type, (item, now) => Cell(path.Find(item), type, now), column.Number("priority") is > 0)
        {
            Description = column.Text("description") ?? "",
            Format = column.Text("format") ?? "",
        };
    }

    private static JsonNode? Cell(IReadOnlyList<JsonNode> found, string type, DateTimeOffset now) => found switch
    {
        [] => null,
        [var one] when type == "date" => Ages.Of(one.Text(), now),
        [JsonValue one] when type is "integer" or "number" or "boolean" => one.DeepClone(),
        [JsonValue one] => one.ToString(),
        [var one] => one.ToJsonString(),
        _ => string.Join(',', found.Select(node => node is JsonValue ? node.ToString() : node.ToJsonString())),
    };
}
