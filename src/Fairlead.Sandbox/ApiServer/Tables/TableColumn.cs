using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>A column of <c>kubectl get</c>.</summary>
/// <param name="Name">Heading.</param>
/// <param name="Type">OpenAPI type: string, integer, number, boolean, date.</param>
/// <param name="Value">The cell.</param>
/// <param name="Wide">Shown with <c>-o wide</c> only.</param>
internal sealed record TableColumn(string Name, string Type, Func<JsonObject, DateTimeOffset, JsonNode?> Value, bool Wide = false)
{
    public string Description { get; init; } = "";

    public string Format { get; init; } = "";

    public static TableColumn Text(string name, Func<JsonObject, string?> value, bool wide = false) =>
        new(name, "string", (item, _) => value(item) is { Length: > 0 } text ? text : "<none>", wide);

    public static TableColumn Count(string name, Func<JsonObject, long> value, bool wide = false) => new(name, "integer", (item, _) => value(item), wide);

    public static readonly TableColumn Age = new("Age", "string", static (item, now) => Ages.Of(item.Text("metadata", "creationTimestamp"), now));
}
