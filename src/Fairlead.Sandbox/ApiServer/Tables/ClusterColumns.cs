using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>Namespaces, nodes, events, leases, definitions.</summary>
internal static class ClusterColumns
{
    private const string RolePrefix = "node-role.kubernetes.io/";

    public static readonly IReadOnlyList<TableColumn> Namespace =
    [
        TableColumn.Text("Status", static item => item.Text("status", "phase")),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> Node =
    [
        TableColumn.Text("Status", NodeStatus),
        TableColumn.Text("Roles", static item => string.Join(',', (item.Map("metadata", "labels") ?? [])
            .Where(static label => label.Key.StartsWith(RolePrefix)).Select(static label => label.Key[RolePrefix.Length..]))),
        TableColumn.Age,
        TableColumn.Text("Version", static item => item.Text("status", "nodeInfo", "kubeletVersion")),
        TableColumn.Text("Internal-IP", static item => Address(item, "InternalIP"), wide: true),
        TableColumn.Text("External-IP", static item => Address(item, "ExternalIP"), wide: true),
        TableColumn.Text("OS-Image", static item => item.Text("status", "nodeInfo", "osImage"), wide: true),
        TableColumn.Text("Kernel-Version", static item => item.Text("status", "nodeInfo", "kernelVersion"), wide: true),
        TableColumn.Text("Container-Runtime", static item => item.Text("status", "nodeInfo", "containerRuntimeVersion"), wide: true),
    ];

    public static readonly IReadOnlyList<TableColumn> Event =
    [
        new("Last Seen", "string", static (item, now) => Ages.Of(LastSeen(item), now)),
        TableColumn.Text("Type", static item => item.Text("type")),
        TableColumn.Text("Reason", static item => item.Text("reason")),
        TableColumn.Text("Object", static item => $"{item.Text("involvedObject", "kind")?.ToLowerInvariant()}/{item.Text("involvedObject", "name")}"),
        TableColumn.Text("Source", static item => item.Text("source", "component") ?? item.Text("reportingComponent"), wide: true),
        TableColumn.Text("Message", static item => item.Text("message")?.Trim()),
        new("First Seen", "string", static (item, now) => Ages.Of(item.Text("firstTimestamp") ?? item.Text("eventTime"), now), Wide: true),
        TableColumn.Count("Count", static item => item.Number("count") ?? 1, wide: true),
    ];

    public static readonly IReadOnlyList<TableColumn> Lease =
    [
        TableColumn.Text("Holder", static item => item.Text("spec", "holderIdentity")),
        TableColumn.Age,
    ];

    public static readonly IReadOnlyList<TableColumn> CustomResourceDefinition =
    [
        TableColumn.Text("Created At", static item => item.Text("metadata", "creationTimestamp")),
    ];

    private static string? LastSeen(JsonObject item) =>
        item.Text("series", "lastObservedTime") ?? item.Text("lastTimestamp") ?? item.Text("eventTime") ?? item.Text("metadata", "creationTimestamp");

    private static string NodeStatus(JsonObject node)
    {
        var ready = node.Maps("status", "conditions").FirstOrDefault(condition => condition.Text("type") == "Ready").Text("status");
        var status = ready switch { "True" => "Ready", null => "Unknown", _ => "NotReady" };
        return node.Flag("spec", "unschedulable") == true ? $"{status},SchedulingDisabled" : status;
    }

    private static string? Address(JsonObject node, string type) =>
        node.Maps("status", "addresses").FirstOrDefault(address => address.Text("type") == type).Text("address");
}
