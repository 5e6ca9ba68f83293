using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;

namespace Fairlead.Gateway.Api;

/// <summary>Which protocol to speak. Product versions play no part: only protocols are compatible or not.</summary>
internal static class Negotiation
{
    /// <summary>What this gateway can do besides the protocol's core; a client uses what both have.</summary>
    public static readonly IReadOnlyList<string> Capabilities = 
    [
        GatewayCapabilities.CatalogAddresses, "catalog-resume", "connect-tcp", "connect-udp", "direct", "dns", GatewayCapabilities.Addresses, GatewayCapabilities.Echo, GatewayCapabilities.Via, "websocket",
    ];

    /// <summary>Of what a client calls its version.</summary>
    private const int MaxProductVersion = 32;

    /// <summary>The highest common version.</summary>
    /// <param name="productVersion">This gateway's.</param>
    /// <exception cref="FairleadException"><c>protocol-unsupported</c>: there is none.</exception>
    public static int Choose(HelloRequest hello, string productVersion)
    {
        var offered = hello.ProtocolVersions;
        var common = offered.Where(v => v is >= GatewayApi.OldestProtocolVersion and <= GatewayApi.ProtocolVersion).DefaultIfEmpty(-1).Max();
        if (common >= 0)
        {
            return common;
        }

        var newer = offered.Count > 0 && offered.Min() > GatewayApi.ProtocolVersion;
        throw new FairleadException(
            ErrorCategory.Usage,
            "protocol-unsupported",
            "This Fairlead and the gateway do not understand each other",
            $"it ({string.Concat(hello.ProductVersion.Take(MaxProductVersion))}) speaks protocol {(offered.Count == 0 ? "none" : string.Join(", ", offered.Take(8)))}, the gateway ({productVersion}) {GatewayApi.OldestProtocolVersion} to {GatewayApi.ProtocolVersion}",
            newer ? "Have the gateway upgraded, or use an older Fairlead." : "Upgrade Fairlead on this machine.");
    }
}
