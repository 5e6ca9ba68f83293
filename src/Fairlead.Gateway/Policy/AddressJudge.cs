using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Gateway.Policy;

/// <summary>The outcome for one address.</summary>
internal enum Verdict
{
    Allowed,
    Denied,

    /// <summary>It lies where pods have their addresses, yet no pod is known to have it: the news may be on its way.</summary>
    Unsettled,
}

/// <param name="Reason">For the caller and the log; null when allowed.</param>
internal readonly record struct Judgement(Verdict Verdict, string? Reason)
{
    public static readonly Judgement Allowed = new(Verdict.Allowed, null);

    public static Judgement Denied(string reason) => new(Verdict.Denied, reason);
}

/// <summary>
/// Decides whether an address that lies behind a granted service may be dialled: a grant of a service is no grant of what somebody makes
/// it point to. Pure: what it knows is the cluster's state and the subject's rights.
/// </summary>
/// <param name="own">Addresses of this process's own interfaces.</param>
internal sealed class AddressJudge(ClusterState cluster, IReadOnlySet<IPAddress> own)
{
    /// <summary>A service whose endpoint is another service's address, and so on: real ones stop at one.</summary>
    private const int MaxDepth = 4;

    /// <param name="via">The granted service that the address was found behind.</param>
    /// <param name="pod">The pod that an EndpointSlice claims has the address.</param>
    public Judgement Judge(Rights rights, ObjectKey via, IPAddress address, int port, TransportProtocol protocol, ObjectKey? pod = null) =>
        Judge(rights, via, address, port, protocol, pod, 0);

    private Judgement Judge(Rights rights, ObjectKey via, IPAddress address, int port, TransportProtocol protocol, ObjectKey? claimed, int depth)
    {
        var excepted = rights.Excepts(via.Namespace, via.Name, address);
        if (JudgeKind(rights, $"{via} leads to", address, port, excepted) is { } decided)
        {
            return decided;
        }

        var services = cluster.ServicesAt(address);
        if (services.Count > 0)
        {
            var judged = JudgeServices(rights, via, services, port, protocol, depth);
            if (judged.Verdict != Verdict.Allowed || services.Any(s => HasPort(s, port, protocol)))
            {
                return judged;
            }

            // A load balancer's address may be a node's too: on ports that no service takes, it is the node that answers.
        }

        if (excepted)
        {
            return Judgement.Allowed;
        }

        if (cluster.NodeAt(address) is { } node)
        {
            return port != node.KubeletPort && IsHostNetworkPod(via, address, claimed)
                ? Judgement.Allowed
                : Judgement.Denied($"{via} leads to {address}, an address of node {node.Name}");
        }

        return JudgePods(rights, via, address);
    }

    /// <summary>An address that somebody asks for as such, and that is no service's: what lies outside the cluster needs a grant that names it.</summary>
    /// <param name="exit">It is dialled from a pod of a workload that is granted for that: its loopback, and what lies outside the cluster, go with it.</param>
    public Judgement JudgeLiteral(Rights rights, IPAddress address, int port, TransportProtocol protocol, bool exit)
    {
        if (exit && AddressClassifier.Classify(address) == AddressClass.Loopback)
        {
            return Judgement.Allowed;
        }

        var excepted = rights.Reaches(address);
        if (JudgeKind(rights, "that is", address, port, excepted) is { } decided)
        {
            return decided;
        }

        var pods = cluster.PodsAt(address);
        if (excepted || (pods.Count > 0 && pods.All(p => rights.MayConsumeAll(p.Namespace))))
        {
            return Judgement.Allowed;
        }

        if (JudgeEndpoints(rights, address, port, protocol) is { } judged)
        {
            return judged;
        }

        return (pods.Count, cluster) switch
        {
            _ when cluster.NodeAt(address) is { } node => Judgement.Denied($"that is {address}, an address of node {node.Name}"),
            (> 0, _) => Judgement.Denied($"no grant covers every service of namespace {pods.First().Namespace}, or one that has port {port} of pod {pods.First().Name}"),
            _ when cluster.InPodRange(address) => new Judgement(Verdict.Unsettled, $"no pod has the address {address}"),
            (_, { Limited: false }) when exit => Judgement.Allowed,
            _ => Judgement.Denied($"{address} needs a grant that names it (cidrs)"),
        };
    }

    /// <summary>Whether somebody may know of the address, as of the name that it has: that it is behind something that they were granted.</summary>
    public bool MayKnow(Rights rights, IPAddress address) =>
        rights.Reaches(address)
        || cluster.ServicesAt(address).Any(key => FlowPlanner.Denial(rights, key, cluster.GatewayService) is null)
        || cluster.PodsAt(address).Any(pod => rights.MayConsumeAll(pod.Namespace))
        || cluster.EndpointsAt(address).Any(at => FlowPlanner.Denial(rights, at.Slice.Service, cluster.GatewayService) is null);

    /// <summary>What an address is by itself, whoever asks and wherever it was found. Null: that does not decide.</summary>
    private Judgement? JudgeKind(Rights rights, string leads, IPAddress address, int port, bool excepted)
    {
        var kind = AddressClassifier.Classify(address);
        if (kind != AddressClass.Ordinary && !(excepted && kind is AddressClass.LinkLocal or AddressClass.Metadata))
        {
            return Judgement.Denied($"{leads} {address}, {kind.Describe()}");
        }

        if (own.Contains(address) || cluster.PodsAt(address).Any(p => cluster.FindPod(p)?.Gateway == true))
        {
            return Judgement.Denied($"{leads} the gateway itself");
        }

        if (!cluster.IsApiServer(address, port))
        {
            return null;
        }

        return excepted || rights.Names(ClusterState.ApiServerService.Namespace, ClusterState.ApiServerService.Name)
            ? Judgement.Allowed
            : Judgement.Denied($"{leads} the API server, which only a grant that names default/kubernetes allows");
    }

    /// <summary>An address and port that a granted service leads to may be dialled without it, too, as clients of headless services do. Null: there is no such service.</summary>
    private Judgement? JudgeEndpoints(Rights rights, IPAddress address, int port, TransportProtocol protocol)
    {
        Judgement? best = null;
        foreach (var (slice, endpoint) in cluster.EndpointsAt(address))
        {
            var leads = protocol == TransportProtocol.Icmp || slice.Ports.Any(p => p.Port == port && p.Protocol == protocol);
            if (!leads || !endpoint.Routed || FlowPlanner.Denial(rights, slice.Service, cluster.GatewayService) is not null)
            {
                continue;
            }

            var judged = Judge(rights, slice.Service, address, port, protocol, endpoint.Pod);
            if (judged.Verdict == Verdict.Allowed)
            {
                return judged;
            }

            best = best is { Verdict: Verdict.Unsettled } ? best : judged;
        }

        return best;
    }

    private Judgement JudgeServices(Rights rights, ObjectKey via, IReadOnlyCollection<ObjectKey> services, int port, TransportProtocol protocol, int depth)
    {
        foreach (var key in services)
        {
            if (key == cluster.GatewayService)
            {
                return Judgement.Denied($"{via} leads to the gateway itself");
            }

            if (!rights.MayConsume(key.Namespace, key.Name))
            {
                return Judgement.Denied($"{via} leads to service {key}, which is not granted");
            }

            if (depth >= MaxDepth)
            {
                return Judgement.Denied($"{via} leads through more than {MaxDepth} services");
            }

            var judged = JudgeBackends(rights, key, port, protocol, depth + 1);
            if (judged.Verdict != Verdict.Allowed)
            {
                return judged;
            }
        }

        return Judgement.Allowed;
    }

    /// <summary>Judges everything that traffic to a service's port can end up at.</summary>
    public Judgement JudgeBackends(Rights rights, ObjectKey service, int port, TransportProtocol protocol) => JudgeBackends(rights, service, port, protocol, 0);

    private Judgement JudgeBackends(Rights rights, ObjectKey service, int port, TransportProtocol protocol, int depth)
    {
        var named = cluster.FindService(service)?.Ports.FirstOrDefault(p => p.Port == port && p.Protocol == protocol);
        foreach (var slice in cluster.SlicesOf(service))
        {
            foreach (var slicePort in slice.Ports)
            {
                // A port that the service does not have (a load balancer's address with another port) is judged by all it has.
                if (named is not null && (slicePort.Name != named.Name || slicePort.Protocol != protocol))
                {
                    continue;
                }

                foreach (var endpoint in slice.Endpoints)
                {
                    if (!endpoint.Routed)
                    {
                        continue;
                    }

                    var judged = Judge(rights, service, endpoint.Address, slicePort.Port, protocol, endpoint.Pod, depth);
                    if (judged.Verdict != Verdict.Allowed)
                    {
                        return judged;
                    }
                }
            }
        }

        return Judgement.Allowed;
    }

    private bool HasPort(ObjectKey service, int port, TransportProtocol protocol) =>
        cluster.FindService(service)?.Ports.Any(p => p.Port == port && p.Protocol == protocol) == true;

    private Judgement JudgePods(Rights rights, ObjectKey via, IPAddress address)
    {
        var pods = cluster.PodsAt(address);
        foreach (var pod in pods)
        {
            if (pod.Namespace != via.Namespace && !rights.MayConsumeAll(pod.Namespace))
            {
                return Judgement.Denied($"{via} leads to a pod of namespace {pod.Namespace}, which is not granted as a whole");
            }
        }

        return (pods.Count, cluster) switch
        {
            (> 0, _) => Judgement.Allowed,
            _ when cluster.InPodRange(address) => new Judgement(Verdict.Unsettled, $"{via} leads to {address}, where no pod is known"),
            (_, { Limited: true }) => Judgement.Denied($"{via} leads to {address}, which may be anybody's: this gateway sees some namespaces only, so that a grant has to name the address"),
            _ => Judgement.Allowed,
        };
    }

    /// <summary>Anybody may write a slice that says so: the pod itself must have the address, in the service's namespace.</summary>
    private bool IsHostNetworkPod(ObjectKey via, IPAddress address, ObjectKey? claimed) =>
        claimed is { } key && key.Namespace == via.Namespace && cluster.FindPod(key) is { HostNetwork: true } pod && pod.Addresses.Contains(address);
}
