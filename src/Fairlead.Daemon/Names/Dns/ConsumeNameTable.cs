using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Consume;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>The names of what is consumed: each leads to the loopback address of its service. Pure.</summary>
internal static class ConsumeNameTable
{
    /// <param name="clusterOf">The DNS of the space with a key.</param>
    /// <param name="range">Where consumed services have their addresses.</param>
    public static NameTable Create(ConsumePlan plan, IReadOnlyList<PlanSpace> spaces, Func<string, IClusterDns?> clusterOf, IPNetwork range)
    {
        var names = new List<ZoneName>(plan.Selection.Hosts.Count * 5);
        var suffixes = new List<ZoneSuffix>();
        var clusters = spaces.ToDictionary(space => space.Key, space => clusterOf(space.Key));
        foreach (var host in plan.Selection.Hosts)
        {
            if (plan.AddressOf(host) is { } address && clusters.GetValueOrDefault(host.Key.Space) is { } cluster)
            {
                Add(names, host, address, cluster);
            }
        }

        foreach (var space in spaces.Where(space => clusters[space.Key] is not null && plan.Selection.Hosts.Any(host => host.Key.Space == space.Key)))
        {
            var end = space.InUse ? "" : "." + space.Name;
            var cluster = clusters[space.Key];
            suffixes.Add(new ZoneSuffix(DnsName.Parse("svc" + end), SuffixUse.Owned, cluster));
            suffixes.Add(new ZoneSuffix(DnsName.Parse(space.ClusterDomain + end), SuffixUse.Owned, cluster));
            var namespaces = plan.Selection.Hosts.Where(host => host.Key.Space == space.Key).Select(host => host.Key.Namespace).Distinct();
            suffixes.AddRange(namespaces.Select(ns => new ZoneSuffix(DnsName.Parse(ns + end), SuffixUse.Fleeting)));
        }

        if (names.Count > 0)
        {
            suffixes.AddRange(NameTable.ReverseSuffixes(range).Select(suffix => new ZoneSuffix(suffix, SuffixUse.Owned)));
        }

        return new NameTable(names, suffixes,
            [.. spaces.Where(space => space is { InUse: true, PrimaryNamespace: not null }).Select(space => $"{space.PrimaryNamespace}.svc.{space.ClusterDomain}")]);
    }

    private static void Add(List<ZoneName> names, SelectedHost host, IPAddress address, IClusterDns cluster)
    {
        var clusterName = DnsName.Parse($"{host.Key.Host}.{host.Key.Namespace}.svc.{host.Naming.ClusterDomain}");
        IPAddress[] addresses = [address];
        IReadOnlyList<ZonePort> ports = [.. host.Ports.Ports.Where(port => port.Name.Length > 0 && port.Port is > 0 and <= ushort.MaxValue)
            .Select(port => new ZonePort(port.Name, port.Protocol == TransportProtocol.Udp, (ushort)port.Port))];
        DnsName? longest = null;
        foreach (var text in host.Names)
        {
            var name = longest = DnsName.Parse(text);

            // SRV of a headless service leads to its endpoints; they have names, and addresses, of their own.
            var isWhole = host.Key.Host == host.Service.Name;
            IReadOnlyList<DnsName> endpoints = isWhole ? [.. host.Service.Endpoints.Select(endpoint => DnsName.Parse($"{endpoint}.{text}"))] : [];
            names.Add(new ZoneName(name, addresses) { Ports = ports, Endpoints = endpoints, Cluster = cluster, ClusterName = clusterName });
        }

        if (longest is not null)
        {
            names.Add(new ZoneName(NameTable.ReverseName(address), []) { Pointer = longest, Cluster = cluster });
        }
    }
}
