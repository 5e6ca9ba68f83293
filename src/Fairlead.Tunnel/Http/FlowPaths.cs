using System.Globalization;
using Fairlead.Contracts.Gateway;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Tunnel.Http;

/// <summary>How flows look in HTTP: paths, protocols, and refusals.</summary>
internal static class FlowPaths
{
    /// <summary>The default template of RFC 9298 §2 and of draft-ietf-httpbis-connect-tcp §2.</summary>
    public const string Tcp = "/.well-known/masque/tcp/{host}/{port:int}/";
    public const string Udp = "/.well-known/masque/udp/{host}/{port:int}/";

    /// <summary>Our own, beside those: echo requests and replies. The port is always 0, so that all three read alike.</summary>
    public const string Icmp = "/.well-known/masque/icmp/{host}/{port:int}/";

    /// <summary>GET, answers 204: the heartbeat of carriers that are HTTP throughout.</summary>
    public const string Ping = "/flow/ping";

    public const string TcpProtocol = "connect-tcp";
    public const string UdpProtocol = "connect-udp";
    public const string IcmpProtocol = "fairlead-echo";

    /// <summary>Of a request that opens a flow: the workload that it leaves from.</summary>
    public const string ViaHeader = "Fairlead-Via";

    /// <summary>Of an answer that refuses: the number of the <see cref="FlowFailure"/>, a space, the message (percent-encoded).</summary>
    public const string RefusalHeader = "Fairlead-Refusal";

    public static string Of(FlowTarget target) =>
        $"/.well-known/masque/{NameOf(target.Protocol)}/{Uri.EscapeDataString(target.Host)}/{target.Port.ToString(CultureInfo.InvariantCulture)}/";

    public static string ProtocolOf(TransportProtocol protocol) => protocol switch
    {
        TransportProtocol.Tcp => TcpProtocol,
        TransportProtocol.Udp => UdpProtocol,
        _ => IcmpProtocol,
    };

    public static int StatusOf(FlowFailure failure) => failure switch
    {
        FlowFailure.Denied => StatusCodes.Status403Forbidden,
        FlowFailure.NotFound => StatusCodes.Status404NotFound,
        FlowFailure.TimedOut => StatusCodes.Status504GatewayTimeout,
        FlowFailure.Draining or FlowFailure.Overloaded => StatusCodes.Status503ServiceUnavailable,
        FlowFailure.ProtocolError => StatusCodes.Status400BadRequest,
        _ => StatusCodes.Status502BadGateway,
    };

    public static string Format(FlowRefusal refusal) => $"{(int)refusal.Failure} {Uri.EscapeDataString(refusal.Message.Length > 300 ? refusal.Message[..300] : refusal.Message)}";

    public static FlowRefusal Parse(HttpResponseMessage response)
    {
        if (response.Headers.TryGetValues(RefusalHeader, out var values) && values.First().Split(' ', 2) is [var number, var message]
            && byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var failure) && failure is > 0 and <= (byte)FlowFailure.ProtocolError)
        {
            return new FlowRefusal((FlowFailure)failure, string.Concat(Uri.UnescapeDataString(message).Where(c => !char.IsControl(c))));
        }

        return (int)response.StatusCode switch
        {
            StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden => new FlowRefusal(FlowFailure.Denied, "The gateway does not accept this machine's certificate."),
            var status => new FlowRefusal(FlowFailure.ProtocolError, $"The gateway answered {status} to an open."),
        };
    }

    private static string NameOf(TransportProtocol protocol) => protocol switch
    {
        TransportProtocol.Tcp => "tcp",
        TransportProtocol.Udp => "udp",
        _ => "icmp",
    };
}
