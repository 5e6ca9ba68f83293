using System.Net;
using System.Net.Security;

namespace Fairlead.Tunnel.Exit;

/// <summary>
/// A way out by an agent: it connects to the gateway's data port, both prove themselves, and then the gateway is the client: HTTP/2 without a further TLS,
/// on which it opens flows as a laptop does with a gateway.
/// </summary>
internal static class ExitProtocol
{
    /// <summary>RFC 7301.</summary>
    public static readonly SslApplicationProtocol Alpn = new("fairlead-exit/1");
}

/// <summary>The in-process endpoint of an agent's server.</summary>
internal sealed class ExitEndPoint : EndPoint
{
    public override string ToString() => "exit";
}
