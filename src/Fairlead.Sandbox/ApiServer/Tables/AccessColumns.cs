using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

/// <summary>Roles and bindings.</summary>
internal static class AccessColumns
{
    public static readonly IReadOnlyList<TableColumn> Role =
    [
        TableColumn.Text("Created At", static item => item.Text("metadata", "creationTimestamp")),
    ];

    public static readonly IReadOnlyList<TableColumn> Binding =
    [
        TableColumn.Text("Role", static item => $"{item.Text("roleRef", "kind")}/{item.Text("roleRef", "name")}"),
        TableColumn.Age,
        TableColumn.Text("Users", static item => Subjects(item, "User"), wide: true),
        TableColumn.Text("Groups", static item => Subjects(item, "Group"), wide: true),
        TableColumn.Text("ServiceAccounts", static item => Subjects(item, "ServiceAccount"), wide: true),
    ];

    private static string Subjects(JsonObject binding, string kind) =>
        string.Join(", ", binding.Maps("subjects").Where(subject => subject.Text("kind") == kind).Select(Show));

    private static string? Show(JsonObject subject) =>
        subject.Text("kind") == "ServiceAccount" ? $"{subject.Text("namespace")}/{subject.Text("name")}" : subject.Text("name");
}
