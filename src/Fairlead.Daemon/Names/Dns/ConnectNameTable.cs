using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Plan;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>The names of a connected space: each leads to the address by which the plan reaches it. Pure.</summary>
internal static class ConnectNameTable
{
    /// <param name="services">With their addresses; those of a gateway that doesn't tell them have no names.</param>
    /// <param name="mapped">Only services of these namespaces have names; empty: all.</param>
    /// <param name="device">The virtual interface.</param>
    public static NameTable Create(
        IEnumerable<ServiceRecord> services, ServiceNames naming, IReadOnlyList<string> mapped, AddressTranslation translation, IClusterDns cluster, string device)
    {
        var names = new List<ZoneName>();
        var namespaces = new SortedSet<string>(StringComparer.Ordinal);
        var pointers = new Dictionary<IPAddress, DnsName>();
        foreach (var service in services.Where(service => (mapped.Count == 0 || mapped.Contains(service.Namespace)) && ServiceNames.AreValid(service)))
        {
            namespaces.Add(service.Namespace);
            Add(names, pointers, service, naming, translation, cluster);
        }

        names.AddRange(pointers.Select(pointer => new ZoneName(NameTable.ReverseName(pointer.Key), []) { Pointer = pointer.Value, Cluster = cluster }));
        var end = naming.SpaceSuffix is null ? "" : "." + naming.SpaceSuffix;
        return new NameTable(
            names,
            [
                new ZoneSuffix(DnsName.Parse("svc" + end), SuffixUse.Owned, cluster),
                new ZoneSuffix(DnsName.Parse(naming.ClusterDomain + end), SuffixUse.Owned, cluster),
                .. namespaces.Select(ns => new ZoneSuffix(DnsName.Parse(ns + end), SuffixUse.Fleeting)),

                // Addresses that only we know. Real ones may be a VPN's, too.
                .. translation.Subnets.SelectMany(subnet => NameTable.ReverseSuffixes(subnet.Local)).Select(suffix => new ZoneSuffix(suffix, SuffixUse.Owned)),
            ],
            naming is { SpaceSuffix: null, PrimaryNamespace: { } primary } ? [$"{primary}.svc.{naming.ClusterDomain}"] : [],
            device);
    }

    private static void Add(List<ZoneName> names, Dictionary<IPAddress, DnsName> pointers, ServiceRecord service, ServiceNames naming, AddressTranslation translation, IClusterDns cluster)
    {
        var alias = service.ExternalName is { } target && DnsName.TryParse(target.TrimEnd('.'), out var parsed) ? parsed : null;
        if (service.Addresses is null && alias is null)
        {
            return;
        }

        IReadOnlyList<ZonePort> ports = [.. service.Ports.Where(port => port.Name.Length > 0 && port.Port is > 0 and <= ushort.MaxValue && port.Protocol != TransportProtocol.Icmp)
            .Select(port => new ZonePort(port.Name, port.Protocol == TransportProtocol.Udp, (ushort)port.Port))];
        foreach (var host in service.Endpoints.Select(endpoint => (Name: $"{endpoint}.{service.Name}", Endpoint: (string?)endpoint)).Prepend((service.Name, null)))
        {
            var addresses = Local(host.Endpoint is null ? service.Addresses : service.EndpointAddresses?.GetValueOrDefault(host.Endpoint), translation);
            if (host.Endpoint is not null && addresses.Count == 0)
            {
                continue; // not ready
            }

            var clusterName = DnsName.Parse($"{host.Name}.{service.Namespace}.svc.{naming.ClusterDomain}");
            DnsName? longest = null;
            foreach (var text in naming.Of(service.Namespace, host.Name).Where(ServiceNames.IsDomain))
            {
                longest = DnsName.Parse(text);
                names.Add(new ZoneName(longest, alias is null ? addresses : [])
                {
                    Alias = host.Endpoint is null ? alias : null,
                    Ports = ports,
                    Endpoints = host.Endpoint is null ? [.. service.Endpoints.Where(endpoint => service.EndpointAddresses?.ContainsKey(endpoint) == true).Select(endpoint => DnsName.Parse($"{endpoint}.{text}"))] : [],
                    Cluster = cluster,
                    ClusterName = clusterName,
                });
            }

            // Of an endpoint's two names its own is the better one: it comes later.
            foreach (var address in addresses)
            {
                if (longest is not null)
                {
                    pointers[address] = longest;
                }
            }
        }
    }

    /// <summary>What a gateway tells may be anything.</summary>
    private static IReadOnlyList<IPAddress> Local(IReadOnlyList<string>? addresses, AddressTranslation translation) =>
        [.. (addresses ?? []).Select(text => IPAddress.TryParse(text, out var address) ? translation.ToLocal(address) : null).OfType<IPAddress>().Distinct()];
}
