namespace Fairlead.Contracts.Gateway;

/// <summary>One replica as it tells of itself: GET <see cref="Path"/> on its health port, on the loopback address of its pod only (by way of a port-forward).</summary>
/// <param name="Instance">Another one after every start.</param>
/// <param name="NotReady">Why no requests should come here; null when they should.</param>
/// <param name="People">Who follows the catalog here. A person may do so on several replicas.</param>
/// <param name="Flows">How many are open.</param>
public sealed record ReplicaStatus(string Version, string Instance, IReadOnlyList<ConnectedPerson> People, int Flows, string? NotReady = null)
{
    public const string Path = "/status";

    /// <summary>The health port's container port has this name.</summary>
    public const string PortName = "health";
}

/// <param name="Subject">Such as <c>invite:alice</c>.</param>
/// <param name="Laptops">How many catalog streams the person holds: one for each laptop.</param>
public sealed record ConnectedPerson(string Subject, int Laptops);
