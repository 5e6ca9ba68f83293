using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>Contents of cells that several kinds share.</summary>
internal static class Cells
{
    public static string Labels(JsonObject? labels) => string.Join(',', (labels ?? []).Select(label => $"{label.Key}={label.Value.Text()}"));

    public static string Selector(JsonObject? selector)
    {
        var terms = (selector.Map("matchLabels") ?? []).Select(label => $"{label.Key}={label.Value.Text()}");
        var expressions = selector.Maps("matchExpressions").Select(Expression);
        return string.Join(',', terms.Concat(expressions));
    }

    public static TableColumn[] Template { get; } =
    [
        TableColumn.Text("Containers", static item => Containers(item, "name"), wide: true),
        TableColumn.Text("Images", static item => Containers(item, "image"), wide: true),
    ];

    private static string Containers(JsonObject item, string field) =>
        string.Join(',', item.Maps("spec", "template", "spec", "containers").Select(container => container.Text(field)));

    private static string Expression(JsonObject expression)
    {
        var (key, values) = (expression.Text("key"), string.Join(',', expression.Texts("values")));
        return expression.Text("operator") switch
        {
            "Exists" => key ?? "",
            "DoesNotExist" => $"!{key}",
            "NotIn" => $"{key} notin ({values})",
            _ => $"{key} in ({values})",
        };
    }
}
