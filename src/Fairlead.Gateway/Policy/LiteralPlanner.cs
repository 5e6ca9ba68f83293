using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Tunnel;

namespace Fairlead.Gateway.Policy;

/// <summary>Decides about flows to IP addresses. A ClusterIP is its service, a pod's address belongs to its namespace, the rest needs a grant of its own. Pure.</summary>
internal sealed class LiteralPlanner(ClusterState cluster, AddressJudge judge)
{
    public FlowPlan Plan(Rights rights, IPAddress address, FlowTarget target)
    {
        WorkloadKey? exit = null;
        if (target.Via is { } via)
        {
            if (!WorkloadKey.TryParse(via, out exit))
            {
                return FlowPlanner.Refuse(FlowFailure.ProtocolError, "the workload to leave from is not namespace/kind/name");
            }

            if (ExitDenial(rights, exit) is { } denied)
            {
                return FlowPlanner.Refuse(FlowFailure.Denied, denied);
            }

            if (target.Protocol == TransportProtocol.Icmp)
            {
                return FlowPlanner.Refuse(FlowFailure.Unreachable, "echo requests don't leave from a workload");
            }
        }

        var plan = Plan(rights, address, target, exit is not null);
        return plan.Dial is null ? plan : plan with { Exit = exit };
    }

    /// <summary>Why flows may not leave from the workload, or null.</summary>
    public static string? ExitDenial(Rights rights, WorkloadKey workload) =>
        rights.MayAttach(workload.Namespace, workload.Name) ? null : rights.AttachDenial(new ObjectKey(workload.Namespace, workload.Name));

    private FlowPlan Plan(Rights rights, IPAddress address, FlowTarget target, bool exit)
    {
        var services = cluster.ServicesAt(address);
        foreach (var key in services)
        {
            var service = cluster.FindService(key);
            var own = service?.ClusterAddresses.Contains(address) == true;
            var taken = service?.Ports.Any(p => p.Port == target.Port && p.Protocol == target.Protocol) == true;

            // A load balancer's address may be a node's too: on ports that no service takes, it is the node that answers.
            if (own || taken)
            {
                return PlanService(rights, key, taken, address, target);
            }
        }

        var judged = judge.JudgeLiteral(rights, address, target.Port, target.Protocol, exit);
        return judged.Verdict == Verdict.Unsettled
            ? new FlowPlan(Unsettled: new FlowRefusal(FlowFailure.Unreachable, judged.Reason!))
            : FlowPlanner.PlanDial(judged, new IPEndPoint(address, target.Port));
    }

    private FlowPlan PlanService(Rights rights, ObjectKey key, bool hasPort, IPAddress address, FlowTarget target)
    {
        if (FlowPlanner.Denial(rights, key, cluster.GatewayService) is { } denied)
        {
            return FlowPlanner.Refuse(FlowFailure.Denied, denied);
        }

        if (target.Protocol == TransportProtocol.Icmp)
        {
            // Whether anything answers is the proxy's affair; it forwards no echo to an endpoint, so that none needs to be judged.
            return new FlowPlan(Dial: [new IPEndPoint(address, 0)]);
        }

        return hasPort
            ? FlowPlanner.PlanDial(judge.JudgeBackends(rights, key, target.Port, target.Protocol), new IPEndPoint(address, target.Port))
            : FlowPlanner.Refuse(FlowFailure.ConnectionRefused, $"{key} has no {(target.Protocol == TransportProtocol.Tcp ? "TCP" : "UDP")} port {target.Port}");
    }
}
