namespace Fairlead.Kubernetes.Models;

public sealed class Service : KubeObject
{
    public ServiceSpec Spec { get; set => field = value ?? new(); } = new();

    public ServiceStatus? Status { get; set; }
}

public sealed class ServiceStatus
{
    public LoadBalancerStatus? LoadBalancer { get; set; }
}

public sealed class LoadBalancerStatus
{
    public IReadOnlyList<LoadBalancerIngress> Ingress { get; set => field = value ?? []; } = [];
}

/// <summary>Where a load balancer is reached: an address, a name, or both.</summary>
public sealed class LoadBalancerIngress
{
    public string? Ip { get; set; }

    public string? Hostname { get; set; }
}

public sealed class ServiceSpec
{
    /// <summary><c>ClusterIP</c>, <c>NodePort</c>, <c>LoadBalancer</c> or <c>ExternalName</c>.</summary>
    public string? Type { get; set; }

    /// <summary>An address, <c>None</c> for a headless service, or empty for ExternalName.</summary>
    public string? ClusterIP { get; set; }

    public IReadOnlyList<string> ClusterIPs { get; set => field = value ?? []; } = [];

    public IReadOnlyList<string> IpFamilies { get; set => field = value ?? []; } = [];

    public string? ExternalName { get; set; }

    public IReadOnlyList<string> ExternalIPs { get; set => field = value ?? []; } = [];

    /// <summary>Empty: somebody else keeps the EndpointSlices.</summary>
    public Dictionary<string, string> Selector { get; set => field = value ?? []; } = [];

    public IReadOnlyList<ServicePort> Ports { get; set => field = value ?? []; } = [];

    public bool? PublishNotReadyAddresses { get; set; }

    public string? SessionAffinity { get; set; }
}

public sealed class ServicePort
{
    public string? Name { get; set; }

    /// <summary><c>TCP</c> (also when null), <c>UDP</c> or <c>SCTP</c>.</summary>
    public string? Protocol { get; set; }

    public int Port { get; set; }

    public IntOrString? TargetPort { get; set; }

    public int? NodePort { get; set; }

    public string? AppProtocol { get; set; }
}

/// <summary>Some of the endpoints behind a service, named by the label <see cref="ServiceNameLabel"/>.</summary>
public sealed class EndpointSlice : KubeObject
{
    public const string ServiceNameLabel = "kubernetes.io/service-name";

    /// <summary><c>IPv4</c>, <c>IPv6</c> or <c>FQDN</c>.</summary>
    public string AddressType { get; set; } = "";

    public IReadOnlyList<Endpoint> Endpoints { get; set => field = value ?? []; } = [];

    public IReadOnlyList<EndpointPort> Ports { get; set => field = value ?? []; } = [];
}

public sealed class Endpoint
{
    public IReadOnlyList<string> Addresses { get; set => field = value ?? []; } = [];

    public EndpointConditions Conditions { get; set => field = value ?? new(); } = new();

    public string? Hostname { get; set; }

    public string? NodeName { get; set; }

    public ObjectReference? TargetRef { get; set; }
}

/// <summary>Null means unknown, which counts as true for <see cref="Ready"/> and <see cref="Serving"/> and as false for <see cref="Terminating"/>.</summary>
public sealed class EndpointConditions
{
    public bool? Ready { get; set; }

    public bool? Serving { get; set; }

    public bool? Terminating { get; set; }
}

public sealed class EndpointPort
{
    public string? Name { get; set; }

    public string? Protocol { get; set; }

    /// <summary>Null: every port.</summary>
    public int? Port { get; set; }

    public string? AppProtocol { get; set; }
}
