namespace Fairlead.Contracts.Gateway;

/// <summary>What a gateway can do besides the protocol's core, as <see cref="HelloResponse.Capabilities"/> tells it. A client uses what both have.</summary>
public static class GatewayCapabilities
{
    /// <summary>The catalog tells addresses to whoever asks with <c>addresses=true</c>.</summary>
    public const string CatalogAddresses = "catalog-addresses";

    /// <summary>Flows may be to IP addresses.</summary>
    public const string Addresses = "flow-addresses";

    /// <summary>Flows of <see cref="TransportProtocol.Icmp"/>.</summary>
    public const string Echo = "flow-echo";

    /// <summary>Flows may leave from a pod of a workload; <see cref="GatewayApi.Exit"/>.</summary>
    public const string Via = "flow-via";
}
