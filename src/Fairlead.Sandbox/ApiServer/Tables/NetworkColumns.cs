using System.Text.Json.Nodes;

namespace Fairlead.Sandbox.ApiServer.Tables;

internal static class NetworkColumns
{
    /// <summary>Addresses and ports that one cell lists before it says how many more there are.</summary>
    private const int Shown = 3;

    public static readonly IReadOnlyList<TableColumn> Service =
    [
        TableColumn.Text("Type", static item => item.Text("spec", "type")),
        TableColumn.Text("Cluster-IP", static item => item.Text("spec", "clusterIP")),
        TableColumn.Text("External-IP", ExternalAddress),
        TableColumn.Text("Port(s)", static item => string.Join(',', item.Maps("spec", "ports").Select(Port))),
        TableColumn.Age,
        TableColumn.Text("Selector", static item => Cells.Labels(item.Map("spec", "selector")), wide: true),
    ];

    public static readonly IReadOnlyList<TableColumn> EndpointSlice =
    [
        TableColumn.Text("AddressType", static item => item.Text("addressType")),
        TableColumn.Text("Ports", static item => List(item.Maps("ports").Select(port => port["port"]?.ToString() ?? "*"), "<unset>")),
        TableColumn.Text("Endpoints", static item => List(item.Maps("endpoints").SelectMany(endpoint => endpoint.Texts("addresses")), "<unset>")),
        TableColumn.Age,
    ];

    private static string ExternalAddress(JsonObject service) => service.Text("spec", "type") switch
    {
        "ExternalName" => service.Text("spec", "externalName") ?? "",
        "LoadBalancer" => List(service.Maps("status", "loadBalancer", "ingress").Select(entry => entry.Text("ip") ?? entry.Text("hostname") ?? ""), "<pending>"),
        _ => string.Join(',', service.Texts("spec", "externalIPs")),
    };

    private static string Port(JsonObject port)
    {
        var node = port.Number("nodePort") is > 0 and var number ? $":{number}" : "";
        return $"{port.Number("port")}{node}/{port.Text("protocol")}";
    }

    private static string List(IEnumerable<string> items, string none)
    {
        var all = items.ToArray();
        return all.Length == 0 ? none
            : all.Length <= Shown ? string.Join(',', all)
            : $"{string.Join(',', all.Take(Shown))} + {all.Length - Shown} more...";
    }
}
