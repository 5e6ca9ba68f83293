using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>What is to be done about a flow: exactly one of the members is set.</summary>
/// <param name="Dial">Judged addresses, to be tried in this order.</param>
/// <param name="Resolve">A name outside the cluster: resolve it, judge each address with <see cref="FlowPlanner.JudgeResolved"/>, dial that very address.</param>
/// <param name="Unsettled">Refuse for this reason unless it settles within a moment.</param>
/// <param name="Exit">Where <paramref name="Dial"/> is to be dialled from, when not from here.</param>
internal sealed record FlowPlan(
    IReadOnlyList<IPEndPoint>? Dial = null, DnsEndPoint? Resolve = null, FlowRefusal? Refusal = null, FlowRefusal? Unsettled = null, WorkloadKey? Exit = null);

/// <summary>Decides where a flow goes and whether it may. Pure but for the choice among a headless service's endpoints.</summary>
internal sealed class FlowPlanner(ClusterState cluster, AddressJudge judge)
{
    private readonly LiteralPlanner literals = new(cluster, judge);

    /// <summary>As a client that gets several addresses for a headless service tries the next when one fails.</summary>
    private const int MaxCandidates = 3;

    public FlowPlan Plan(Rights rights, FlowTarget target)
    {
        if (target.IsWellFormed && AddressText.TryParse(target.Host, out var address))
        {
            return literals.Plan(rights, address, target);
        }

        if (!target.IsWellFormed || target.Via is not null || target.Protocol == TransportProtocol.Icmp || !TargetName.TryParse(target.Host, out var name))
        {
            return Refuse(FlowFailure.ProtocolError, "the target is not a service's name and port");
        }

        var key = name.Service;

        // First the grant, so that whoever has none can't learn what exists.
        if (Denial(rights, key, cluster.GatewayService) is { } denied)
        {
            return Refuse(FlowFailure.Denied, denied);
        }

        if (cluster.FindService(key) is not { } service)
        {
            return Refuse(FlowFailure.NotFound, $"there is no service {key}");
        }

        return service.Kind switch
        {
            ServiceKind.Headless => PlanHeadless(rights, service, name.Endpoint, target),
            _ when name.Endpoint is not null => Refuse(FlowFailure.NotFound, $"{key} is not headless: it has no endpoints with names"),
            ServiceKind.ExternalName => PlanExternal(service, target),
            _ => PlanClusterAddress(rights, service, target),
        };
    }

    /// <summary>Judges an address that an ExternalName was resolved to.</summary>
    public Judgement JudgeResolved(Rights rights, ObjectKey service, IPEndPoint address, TransportProtocol protocol) =>
        judge.Judge(rights, service, address.Address, address.Port, protocol);

    /// <summary>Why the service may not be consumed, or null. The API server's needs to be named; the gateway's own never may.</summary>
    public static string? Denial(Rights rights, ObjectKey key, ObjectKey gateway)
    {
        if (key == gateway)
        {
            return "the gateway itself can't be consumed";
        }

        if (key == ClusterState.ApiServerService)
        {
            return rights.Names(key.Namespace, key.Name) ? null : "only a grant that names default/kubernetes allows the API server";
        }

        return rights.MayConsume(key.Namespace, key.Name) ? null : rights.ConsumeDenial(key);
    }

    private FlowPlan PlanClusterAddress(Rights rights, ServiceView service, FlowTarget target)
    {
        if (!service.Ports.Any(p => p.Port == target.Port && p.Protocol == target.Protocol))
        {
            return NoSuchPort(service, target);
        }

        return PlanDial(judge.JudgeBackends(rights, service.Key, target.Port, target.Protocol), new IPEndPoint(service.ClusterAddresses[0], target.Port));
    }

    /// <summary>What a judgement means for an address.</summary>
    public static FlowPlan PlanDial(Judgement judged, IPEndPoint address) => judged.Verdict switch
    {
        Verdict.Denied => Refuse(FlowFailure.Denied, judged.Reason!),
        Verdict.Unsettled => new FlowPlan(Unsettled: new FlowRefusal(FlowFailure.Denied, judged.Reason!)),
        _ => new FlowPlan(Dial: [address]),
    };

    private FlowPlan PlanHeadless(Rights rights, ServiceView service, string? endpointName, FlowTarget target)
    {
        var ports = service.Ports.Where(p => p.Port == target.Port && p.Protocol == target.Protocol).Select(p => p.Name).ToHashSet();
        var candidates = new List<(IPEndPoint Address, ObjectKey? Pod)>();
        var known = ports.Count > 0;
        var named = false;
        foreach (var slice in cluster.SlicesOf(service.Key))
        {
            // Either the service's port, or, as clients inside the cluster must, the endpoints' own number.
            foreach (var port in slice.Ports.Where(p => p.Protocol == target.Protocol && (ports.Contains(p.Name) || p.Port == target.Port)))
            {
                known = true;
                foreach (var endpoint in slice.Endpoints.Where(e => endpointName is null || e.Hostname == endpointName))
                {
                    named = true;
                    if (endpoint.Ready)
                    {
                        candidates.Add((new IPEndPoint(endpoint.Address, port.Port), endpoint.Pod));
                    }
                }
            }
        }

        if (!known)
        {
            return NoSuchPort(service, target);
        }

        if (candidates.Count == 0)
        {
            return endpointName is not null && !named
                ? Refuse(FlowFailure.NotFound, $"{service.Key} has no endpoint named {endpointName}")
                : Refuse(FlowFailure.ConnectionRefused, $"no endpoint of {service.Key} is ready");
        }

        var chosen = candidates.ToArray();
        Random.Shared.Shuffle(chosen);
        var dial = new List<IPEndPoint>();
        foreach (var (address, pod) in chosen.Take(MaxCandidates))
        {
            var judged = judge.Judge(rights, service.Key, address.Address, address.Port, target.Protocol, pod);
            if (judged.Verdict == Verdict.Denied)
            {
                return Refuse(FlowFailure.Denied, judged.Reason!);
            }

            if (judged.Verdict == Verdict.Allowed)
            {
                dial.Add(address);
            }
        }

        return dial.Count > 0 ? new FlowPlan(Dial: dial) : new FlowPlan(Unsettled: new FlowRefusal(FlowFailure.Denied, $"no pod is known at the endpoints of {service.Key}"));
    }

    private static FlowPlan PlanExternal(ServiceView service, FlowTarget target)
    {
        if (service.Ports.Count > 0 && !service.Ports.Any(p => p.Port == target.Port && p.Protocol == target.Protocol))
        {
            return NoSuchPort(service, target);
        }

        return string.IsNullOrEmpty(service.ExternalName)
            ? Refuse(FlowFailure.NotFound, $"{service.Key} names nothing")
            : new FlowPlan(Resolve: new DnsEndPoint(service.ExternalName, target.Port));
    }

    private static FlowPlan NoSuchPort(ServiceView service, FlowTarget target) => Refuse(
        FlowFailure.NotFound,
        $"{service.Key} has no {(target.Protocol == TransportProtocol.Tcp ? "TCP" : "UDP")} port {target.Port}");

    public static FlowPlan Refuse(FlowFailure failure, string message) => new(Refusal: new FlowRefusal(failure, message));
}
