using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

internal static class CertificateColumns
{
    public static readonly IReadOnlyList<TableColumn> Request =
    [
        TableColumn.Age,
        TableColumn.Text("SignerName", static item => item.Text("spec", "signerName")),
        TableColumn.Text("Requestor", static item => item.Text("spec", "username")),
        TableColumn.Text("RequestedDuration", static item => item.Number("spec", "expirationSeconds") is { } seconds ? Ages.Of(TimeSpan.FromSeconds(seconds)) : null),
        TableColumn.Text("Condition", Condition),
    ];

    private static string Condition(JsonObject request)
    {
        var types = request.Maps("status", "conditions").Select(condition => condition.Text("type")).ToHashSet();
        var decision = types.Contains("Denied") ? "Denied" : types.Contains("Approved") ? "Approved" : "Pending";
        return (types.Contains("Failed"), request.Text("status", "certificate")) switch
        {
            (true, _) => $"{decision},Failed",
            (_, { Length: > 0 }) => $"{decision},Issued",
            _ => decision,
        };
    }
}
