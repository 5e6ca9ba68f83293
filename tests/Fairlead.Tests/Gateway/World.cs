using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;

namespace Fairlead.Tests.Gateway;

/// <summary>Builds a cluster's state in few words.</summary>
internal sealed class World
{
    /// <param name="limited">The gateway sees some namespaces only.</param>
    public World(bool limited = false)
    {
        State = new ClusterState(limited: limited);
        State.PutNode(new NodeView("node-1", [IPAddress.Parse("198.18.0.2")], [], [IPNetwork.Parse("10.244.0.0/16")], 10250));
        Service("default/kubernetes", "10.96.0.1", 443);
        Slice("default/kubernetes", "kubernetes", 6443, ("198.18.0.1", null));
        Judge = new AddressJudge(State, new HashSet<IPAddress> { IPAddress.Parse("10.244.0.99") });
        Planner = new FlowPlanner(State, Judge);
    }

    public ClusterState State { get; }

    public AddressJudge Judge { get; }

    public FlowPlanner Planner { get; }

    public static ObjectKey Key(string text) => text.Split('/') is [var ns, var name] ? new ObjectKey(ns, name) : throw new FormatException(text);

    public static Rights Grant(params GrantRule[] rules) => new(rules);

    public static Rights Grant(string ns, string service = "*", params string[] cidrs) => new([new GrantRule([ns], [service], null, cidrs)]);

    public void Service(string key, string? address, int port, TransportProtocol protocol = TransportProtocol.Tcp, ServiceKind kind = ServiceKind.ClusterIP, string? external = null) =>
        State.PutService(new ServiceView(Key(key), kind, [new ServicePort("main", port, protocol)], address is null ? [] : [IPAddress.Parse(address)], [], external));

    public void Slice(string service, string name, int port, params (string Address, string? Pod)[] endpoints) => State.PutSlice(new SliceView(
        new ObjectKey(Key(service).Namespace, name),
        Key(service),
        [new SlicePort("main", port, TransportProtocol.Tcp)],
        [.. endpoints.Select(e => new Endpoint(IPAddress.Parse(e.Address), e.Pod?.Split('/')[1], Ready: true, Routed: true, e.Pod is null ? null : Key(e.Pod)))]));

    public void Pod(string key, string address, bool hostNetwork = false, bool gateway = false) =>
        State.PutPod(new PodView(Key(key), [IPAddress.Parse(address)], hostNetwork, gateway));
}
