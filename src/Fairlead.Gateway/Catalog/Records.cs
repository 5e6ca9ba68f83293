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
            return new ServiceRecord(service.Key.Namespace, service.Key.Name, service.Kind, service.Ports, []);
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

        var endpoints = known.SelectMany(s => s.Endpoints).Select(e => e.Hostname).OfType<string>().Distinct().Order(StringComparer.Ordinal).ToList();
        return new ServiceRecord(service.Key.Namespace, service.Key.Name, service.Kind, ports, endpoints);
    }
}
