using System.Net;
using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Linux.Namespaces;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Network;

internal readonly record struct Endpoint(string Address, int Port);

/// <summary>One (address, protocol, port) that is balanced over at least one endpoint.</summary>
internal sealed record PortRule(string Address, string Protocol, int Port, bool Sticky, IReadOnlyList<Endpoint> Endpoints)
{
    /// <summary>The chain that draws a number below the count of endpoints.</summary>
    internal string Chain => (Sticky ? "sticky" : "random") + Endpoints.Count;

    public bool Equals(PortRule? other) =>
        other is not null && Address == other.Address && Protocol == other.Protocol && Port == other.Port && Sticky == other.Sticky
        && Endpoints.SequenceEqual(other.Endpoints);

    public override int GetHashCode() => HashCode.Combine(Address, Protocol, Port, Endpoints.Count);
}

/// <summary>
/// What kube-proxy would do for one Service: its ClusterIP and NodePorts lead to the ready endpoints, or, when there are none, to
/// those that still serve while they terminate. A port without endpoints has no rule and is refused by the filter.
/// </summary>
internal sealed record ServiceRules(IReadOnlyCollection<PortRule> Ports)
{
    internal static readonly ServiceRules None = new([]);

    internal static ServiceRules Of(JsonObject service, IEnumerable<JsonObject> slices, string nodeAddress)
    {
        var type = service.Text("spec", "type") ?? "ClusterIP";
        var clusterIp = service.Text("spec", "clusterIP");
        if (type == "ExternalName" || !IsAddress(clusterIp))
        {
            return None;
        }

        var sticky = service.Text("spec", "sessionAffinity") == "ClientIP";
        var known = slices.ToArray();
        var rules = new HashSet<PortRule>();
        foreach (var port in service.Maps("spec", "ports"))
        {
            var protocol = (port.Text("protocol") ?? "TCP").ToLowerInvariant();
            if (port.Number("port") is not { } number || protocol is not ("tcp" or "udp" or "sctp"))
            {
                continue;
            }

            var endpoints = EndpointsOf(known, port.Text("name") ?? "", protocol);
            if (endpoints.Length == 0)
            {
                continue;
            }

            rules.Add(new PortRule(clusterIp!, protocol, number, sticky, endpoints));
            if (type is "NodePort" or "LoadBalancer" && port.Number("nodePort") is { } nodePort and > 0)
            {
                rules.Add(new PortRule(nodeAddress, protocol, nodePort, sticky, endpoints));
            }
        }

        return new ServiceRules(rules);
    }

    /// <summary>UDP flows that may still be led to endpoints that <paramref name="next"/> has no more.</summary>
    internal IEnumerable<TranslatedFlow> StaleFlows(ServiceRules next) =>
        from port in Ports
        where port.Protocol == "udp"
        let kept = next.Ports.FirstOrDefault(p => (p.Address, p.Protocol, p.Port) == (port.Address, port.Protocol, port.Port))?.Endpoints ?? []
        from endpoint in port.Endpoints.Except(kept)
        select new TranslatedFlow(
            new IPEndPoint(IPAddress.Parse(port.Address), port.Port), new IPEndPoint(IPAddress.Parse(endpoint.Address), endpoint.Port));

    private static Endpoint[] EndpointsOf(JsonObject[] slices, string name, string protocol)
    {
        var ready = new HashSet<Endpoint>();
        var serving = new HashSet<Endpoint>();
        foreach (var slice in slices.Where(s => s.Text("addressType") == "IPv4"))
        {
            foreach (var port in slice.Maps("ports"))
            {
                if ((port.Text("name") ?? "") != name || !string.Equals(port.Text("protocol") ?? "TCP", protocol, StringComparison.OrdinalIgnoreCase)
                    || port.Number("port") is not { } number)
                {
                    continue;
                }

                foreach (var endpoint in slice.Maps("endpoints"))
                {
                    // "ready: null" means ready, "serving: null" means as ready (discovery.k8s.io/v1).
                    var isReady = endpoint.Flag("conditions", "ready") ?? true;
                    var set = isReady ? ready
                        : endpoint.Flag("conditions", "serving") == true && endpoint.Flag("conditions", "terminating") == true ? serving
                        : null;
                    foreach (var address in endpoint.Texts("addresses").Where(IsAddress))
                    {
                        set?.Add(new Endpoint(address, number));
                    }
                }
            }
        }

        return [.. (ready.Count > 0 ? ready : serving).OrderBy(e => e.Address, StringComparer.Ordinal).ThenBy(e => e.Port)];
    }

    private static bool IsAddress(string? text) =>
        IPAddress.TryParse(text, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
        && address.ToString() == text;
}
