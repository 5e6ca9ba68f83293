namespace Fairlead.Contracts.Gateway;

public enum ServiceKind
{
    ClusterIP,
    Headless,
    ExternalName,
}

/// <summary>A service as the catalog tells it.</summary>
/// <param name="Ports">Empty for an ExternalName service without ports: any port may be asked for.</param>
/// <param name="Endpoints">Names of single endpoints (a StatefulSet's pods behind a headless service): <c>postgres-0</c> is <c>postgres-0.postgres.shop</c>.</param>
/// <param name="Addresses">
/// What its name resolves to in the cluster: ClusterIPs of both families, or the ready endpoints of a headless service. This and what follows
/// is null unless the client asked for addresses.
/// </param>
/// <param name="EndpointAddresses">Of each of <paramref name="Endpoints"/> that is ready, by its name.</param>
/// <param name="ExternalName">What an ExternalName service is an alias for.</param>
public sealed record ServiceRecord(
    string Namespace,
    string Name,
    ServiceKind Kind,
    IReadOnlyList<ServicePort> Ports,
    IReadOnlyList<string> Endpoints,
    IReadOnlyList<string>? Addresses = null,
    IReadOnlyDictionary<string, IReadOnlyList<string>>? EndpointAddresses = null,
    string? ExternalName = null)
{
    public bool ContentEquals(ServiceRecord? other) => other is not null && Namespace == other.Namespace && Name == other.Name && Kind == other.Kind
        && Ports.SequenceEqual(other.Ports) && Endpoints.SequenceEqual(other.Endpoints)
        && (Addresses ?? []).SequenceEqual(other.Addresses ?? []) && ExternalName == other.ExternalName
        && SameAddresses(EndpointAddresses, other.EndpointAddresses);

    /// <summary>As clients see it that did not ask for addresses.</summary>
    public ServiceRecord WithoutAddresses() => Addresses is null && EndpointAddresses is null && ExternalName is null
        ? this
        : this with { Addresses = null, EndpointAddresses = null, ExternalName = null };

    private static bool SameAddresses(IReadOnlyDictionary<string, IReadOnlyList<string>>? one, IReadOnlyDictionary<string, IReadOnlyList<string>>? other) =>
        (one?.Count ?? 0) == (other?.Count ?? 0)
        && (one is null || one.All(pair => other!.TryGetValue(pair.Key, out var addresses) && addresses.SequenceEqual(pair.Value)));
}

public enum TransportProtocol
{
    Tcp,
    Udp,

    /// <summary>Echo requests and replies of one association, of the address's family. It has no ports: they are 0.</summary>
    Icmp,
}

/// <param name="Name">The port's name in the Service, or empty.</param>
public sealed record ServicePort(string Name, int Port, TransportProtocol Protocol);
