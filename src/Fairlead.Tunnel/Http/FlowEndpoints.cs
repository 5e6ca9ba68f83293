using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Fairlead.Tunnel.Http;

/// <summary>The gateway's end of flows over HTTP/2: extended CONNECT (RFC 8441) with <c>connect-tcp</c> and <c>connect-udp</c> (RFC 9298).</summary>
public static class FlowEndpoints
{
    /// <summary>Maps the paths that flows are opened on. <paramref name="identify"/> returns null for a caller without a valid certificate: answered 401.</summary>
    public static void MapFlows(this IEndpointRouteBuilder endpoints, IFlowHandler handler, Func<HttpContext, PeerIdentity?> identify) => throw new NotSupportedException();

    /// <summary>Windows and stream limits under which stalled flows can't starve the others of a connection.</summary>
    public static void ConfigureForFlows(this KestrelServerLimits limits)
    {
    }
}
