using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway.Catalog;

/// <summary>Where the gateway is reached. Another list of either kind means that it changed.</summary>
internal readonly record struct GatewayReach(IReadOnlyList<GatewayEndpoint> Endpoints, IReadOnlyList<string> Pods)
{
    public bool IsSame(GatewayReach other) => ReferenceEquals(Endpoints, other.Endpoints) && ReferenceEquals(Pods, other.Pods);
}
