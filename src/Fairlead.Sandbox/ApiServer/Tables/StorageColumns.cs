using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>ConfigMaps, Secrets, accounts and volumes.</summary>
internal static class StorageColumns
{
    public static readonly IReadOnlyList<TableColumn> ConfigMap =
    [
        TableColumn.Count("Data", static item => (item.Map("data")?.Count ?? 0) + (item.Map("binaryData")?.Count ?? 0)),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> Secret =
    [
        TableColumn.Text("Type", static item => item.Text("type")),
        TableColumn.Count("Data", static item => item.Map("data")?.Count ?? 0),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> ServiceAccount =
    [
        TableColumn.Count("Secrets", static item => item.Maps("secrets").Count()),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> PersistentVolume =
    [
        TableColumn.Text("Capacity", static item => item.Text("spec", "capacity", "storage")),
        TableColumn.Text("Access Modes", static item => AccessModes(item, "spec")),
        TableColumn.Text("Reclaim Policy", static item => item.Text("spec", "persistentVolumeReclaimPolicy")),
        TableColumn.Text("Status", Phase),
        TableColumn.Text("Claim", static item => item.Map("spec", "claimRef") is { } claim ? $"{claim.Text("namespace")}/{claim.Text("name")}" : ""),
        TableColumn.Text("StorageClass", static item => item.Text("spec", "storageClassName")),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> PersistentVolumeClaim =
    [
        TableColumn.Text("Status", Phase),
        TableColumn.Text("Volume", static item => item.Text("spec", "volumeName")),
        TableColumn.Text("Capacity", static item => item.Text("status", "capacity", "storage")),
        TableColumn.Text("Access Modes", static item => AccessModes(item, "status")),
        TableColumn.Text("StorageClass", static item => item.Text("spec", "storageClassName")),
        TableColumn.Age,
    ];

    private static string? Phase(JsonObject item) => item.IsBeingDeleted() ? "Terminating" : item.Text("status", "phase");

    private static string AccessModes(JsonObject item, string part) => string.Join(',', item.Texts(part, "accessModes").Select(static mode => mode switch
    {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => mode,
    }));
}
