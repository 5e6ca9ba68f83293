using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

internal static class WorkloadColumns
{
    private static readonly TableColumn Selector = TableColumn.Text("Selector", static item => Cells.Selector(item.Map("spec", "selector")), wide: true);

    public static readonly IReadOnlyList<TableColumn> Deployment =
    [
        TableColumn.Text("Ready", static item => ReadyOfWanted(item)),
        TableColumn.Count("Up-to-date", static item => Status(item, "updatedReplicas")),
        TableColumn.Count("Available", static item => Status(item, "availableReplicas")),
        TableColumn.Age,
        .. Cells.Template,
        Selector,
    ];

    public static readonly IReadOnlyList<TableColumn> ReplicaSet =
    [
        TableColumn.Count("Desired", static item => item.Number("spec", "replicas") ?? 0),
        TableColumn.Count("Current", static item => Status(item, "replicas")),
        TableColumn.Count("Ready", static item => Status(item, "readyReplicas")),
        TableColumn.Age,
        .. Cells.Template,
        Selector,
    ];

    public static readonly IReadOnlyList<TableColumn> StatefulSet =
    [
        TableColumn.Text("Ready", static item => ReadyOfWanted(item)),
        TableColumn.Age,
        .. Cells.Template,
    ];

    public static readonly IReadOnlyList<TableColumn> PodDisruptionBudget =
    [
        TableColumn.Text("Min Available", static item => item.At("spec", "minAvailable")?.ToString() ?? "N/A"),
        TableColumn.Text("Max Unavailable", static item => item.At("spec", "maxUnavailable")?.ToString() ?? "N/A"),
        TableColumn.Count("Allowed Disruptions", static item => Status(item, "disruptionsAllowed")),
        TableColumn.Age,
    ];

    private static string ReadyOfWanted(JsonObject item) => $"{Status(item, "readyReplicas")}/{item.Number("spec", "replicas") ?? 0}";

    private static long Status(JsonObject item, string field) => item.Number("status", field) ?? 0;
}
