using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway.Catalog;

/// <summary>Where the gateway is reached, and what it reaches. Another instance of any part means that it changed.</summary>
internal readonly record struct GatewayReach(IReadOnlyList<GatewayEndpoint> Endpoints, IReadOnlyList<string> Pods, ClusterNetwork? Network = null)
{
    public bool IsSame(GatewayReach other) => ReferenceEquals(Endpoints, other.Endpoints) && ReferenceEquals(Pods, other.Pods) && ReferenceEquals(Network, other.Network);
}
