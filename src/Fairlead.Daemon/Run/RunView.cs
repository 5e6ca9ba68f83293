using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Consume;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Names.Dns;
using Fairlead.Daemon.Plan;
using Fairlead.Dns.Zones;

namespace Fairlead.Daemon.Run;

/// <summary>What a private network shows of a cluster at one moment: names, and where addresses lead. Immutable.</summary>
internal sealed class RunView
{
    /// <summary>Only resolvers that keep servers per link look at it, and none does inside.</summary>
    private const string Device = "fairlead0";

    private readonly IReadOnlyList<IPNetwork> subnets;
    private readonly IReadOnlyDictionary<IPAddress, Route> routes;

    /// <param name="names">What is answered.</param>
    /// <param name="subnets">Of the cluster, by their own addresses.</param>
    /// <param name="routes">Services by addresses that stand for them.</param>
    public RunView(NameTable names, IReadOnlyList<IPNetwork> subnets, IReadOnlyDictionary<IPAddress, Route> routes)
    {
        Names = names;
        this.subnets = subnets;
        this.routes = routes;
    }

    public static readonly RunView Nothing = new(NameTable.Empty, [], new Dictionary<IPAddress, Route>());

    public NameTable Names { get; }

    /// <summary>The whole cluster, by its own addresses.</summary>
    public static RunView OfCluster(PlanSpace space, ClusterNetwork network, IClusterDns cluster) => new(
        ConnectNameTable.Create(space.Services ?? [], new ServiceNames(space.ClusterDomain, space.PrimaryNamespace, null), [], AddressTranslation.None, cluster, Device),
        [.. network.ServiceSubnets.Concat(network.PodSubnets).Select(IPNetwork.Parse)],
        new Dictionary<IPAddress, Route>());

    /// <summary>Services that rules select, each by an address that stands for it.</summary>
    public static RunView OfServices(ConsumePlan plan, PlanSpace space, IClusterDns cluster) =>
        new(ConsumeNameTable.Create(plan, [space], _ => cluster, OwnSpaces.Range), [], plan.Routes());

    /// <summary>What a flow to this destination is for the gateway.</summary>
    /// <param name="isOurs">Whether the destination belongs to the cluster; all else is this host's to reach.</param>
    /// <returns>Null where a destination of ours has nothing behind it.</returns>
    public FlowDestinationTarget? Find(IPEndPoint destination, TransportProtocol protocol, out bool isOurs)
    {
        var address = destination.Address;
        if (OwnSpaces.Range.Contains(address))
        {
            isOurs = true;
            return protocol != TransportProtocol.Icmp && routes.TryGetValue(address, out var route) && route.Allows(destination.Port)
                ? new FlowDestinationTarget(route.Host, destination.Port)
                : null;
        }

        isOurs = subnets.Any(subnet => subnet.Contains(address));
        return isOurs ? new FlowDestinationTarget(address.ToString(), destination.Port) : null;
    }
}

internal readonly record struct FlowDestinationTarget(string Host, int Port);
