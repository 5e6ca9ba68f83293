using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Gateway.Catalog;

/// <summary>Makes the record that clients see out of a service and its EndpointSlices. Pure.</summary>
internal static class Records
{
    public static ServiceRecord Make(ServiceView service, IEnumerable<SliceView> slices)
    {
        if (service.Kind != ServiceKind.Headless)
        {
            return new ServiceRecord(
                service.Key.Namespace, service.Key.Name, service.Kind, service.Ports, [], Texts(service.ClusterAddresses), ExternalName: service.ExternalName);
        }

        // Clients of a headless service reach pods at the pods' own ports, so those count as the service's too.
        var known = slices.ToList();
        var ports = service.Ports.ToList();
        foreach (var port in known.SelectMany(s => s.Ports).OrderBy(p => p.Port))
        {
            if (!ports.Any(p => p.Port == port.Port && p.Protocol == port.Protocol))
            {
                ports.Add(new ServicePort(port.Name, port.Port, port.Protocol));
            }
        }

        var named = known.SelectMany(s => s.Endpoints).Where(e => e.Hostname is not null).ToLookup(e => e.Hostname!);
        return new ServiceRecord(
            service.Key.Namespace,
            service.Key.Name,
            service.Kind,
            ports,
            [.. named.Select(n => n.Key).Order(StringComparer.Ordinal)],
            Ready(known.SelectMany(s => s.Endpoints)),
            named.Where(n => n.Any(e => e.Ready)).ToDictionary(n => n.Key, Ready));
    }

    /// <summary>In an order of their own: which slice an endpoint stands in changes for no reason that matters.</summary>
    private static IReadOnlyList<string> Ready(IEnumerable<Endpoint> endpoints) =>
        [.. Texts(endpoints.Where(e => e.Ready).Select(e => e.Address)).Distinct().Order(StringComparer.Ordinal)];

    private static IReadOnlyList<string> Texts(IEnumerable<IPAddress> addresses) => [.. addresses.Select(a => a.ToString())];
}
