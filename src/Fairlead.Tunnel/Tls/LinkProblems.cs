using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Fairlead.Contracts.Errors;

namespace Fairlead.Tunnel.Tls;

/// <summary>Says what kept a connection from the gateway, for a person: what, why, and the next command.</summary>
internal static class LinkProblems
{
    /// <summary>A certificate made moments ago by a gateway whose clock is a little ahead is no sign of a wrong clock here.</summary>
    private static readonly TimeSpan TolerableSkew = TimeSpan.FromMinutes(5);

    /// <summary>The code of a replica that goes away while others stay.</summary>
    public const string DrainingCode = "gateway-draining";

    public static readonly ErrorInfo Stopped = new(ErrorCategory.NotConnected, "link-stopped", "The link to the gateway was closed here");

    public static readonly ErrorInfo Left = new(ErrorCategory.NotConnected, "link-moved", "The link to the gateway goes another way now");

    public static readonly ErrorInfo NotYet = new(ErrorCategory.NotConnected, "link-connecting", "The link to the gateway is not up yet");

    public static CarrierException OfServerCertificate(X509Certificate2? server, X509Chain? chain, SslPolicyErrors errors, DateTimeOffset now)
    {
        if (server is null)
        {
            return Refused("gateway-unknown", "The server is not this space's gateway", "it showed no certificate", "Check the endpoint; 'fairlead doctor' tests the way to the gateway.");
        }

        DateTimeOffset from = new(server.NotBefore.ToUniversalTime()), until = new(server.NotAfter.ToUniversalTime());
        if (now + TolerableSkew < from || now - TolerableSkew > until)
        {
            var when = now < from ? $"not valid before {from:u}" : $"valid until {until:u}";
            // Retried: a clock is set right without anybody telling us.
            return new CarrierException(
                new ErrorInfo(ErrorCategory.NotConnected, "clock-skew", "The gateway's certificate is not valid at this machine's time", $"it is {when}, and the clock here says {now:u}", "Set this machine's clock ('timedatectl set-ntp true')."),
                refused: false);
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) && !errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            return Refused("gateway-unknown", "The server is not this space's gateway", "its certificate is for another name", "Check the endpoint, or join again with a new token.");
        }

        var status = chain is null ? "" : string.Join(", ", chain.ChainStatus.Select(s => s.Status));
        return Refused("gateway-untrusted", "The server is not this space's gateway", $"its certificate is not signed by the space's CA ({status})", "If the gateway was installed anew, join again with a new token; else something intercepts the connection.");
    }

    /// <summary>What the gateway itself told (or what it did instead of an answer).</summary>
    public static CarrierException OfRefusal(FlowRefusal refusal) => refusal.Failure switch
    {
        FlowFailure.Denied => Refused("denied", "The gateway does not accept this machine's certificate", refusal.Message, "Ask for a new invitation and run 'fairlead join' again.", ErrorCategory.Denied),
        FlowFailure.ProtocolError => Refused("protocol-mismatch", "The gateway speaks another protocol", refusal.Message, "Install the same version of fairlead as the gateway's ('fairlead version')."),
        FlowFailure.Draining => Transient(DrainingCode, "The gateway is going away", refusal.Message),
        _ => Transient("gateway-unavailable", "The gateway can't serve us now", refusal.Message),
    };

    /// <summary>What an open is told for which no connection could be had.</summary>
    public static FlowRefusal RefusalOf(CarrierException e) => new(FlowFailure.LinkDown, Sentence(e.Error));

    public static string Sentence(ErrorInfo problem) => problem.Why is null ? problem.Message : $"{problem.Message}: {problem.Why}";

    /// <param name="where">The endpoint as <c>host:port</c>.</param>
    public static CarrierException Of(Exception e, string where) => e switch
    {
        CarrierException known => known,
        _ when e.InnerException is CarrierException inner => inner,
        FlowAbortedException aborted when aborted.Failure != FlowFailure.LinkDown => OfRefusal(new FlowRefusal(aborted.Failure, aborted.Message)),
        SocketException { SocketErrorCode: SocketError.ConnectionRefused } => Transient("gateway-refused", $"Nothing listens at {where}", "the connection was refused", e),
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain } => Transient("gateway-unresolved", $"The name in {where} does not resolve", "the resolver knows no address for it", e),
        SocketException { SocketErrorCode: SocketError.TimedOut } or TimeoutException or OperationCanceledException =>
            Transient("gateway-timeout", $"{where} does not answer", "the connection timed out", e),
        SocketException socket => Transient("gateway-unreachable", $"{where} can't be reached", socket.Message, e),
        AuthenticationException => Transient("gateway-tls", $"{where} does not speak TLS 1.3 with us", (e.InnerException ?? e).Message, e),
        IOException => Transient("gateway-lost", $"{where} ended the connection", (e.InnerException ?? e).Message, e),
        _ => Transient("gateway-unreachable", $"{where} can't be reached", e.Message, e),
    };

    public static CarrierException OfProxy(string proxy, string why, Exception? inner = null) => new(
        new ErrorInfo(ErrorCategory.NotConnected, "proxy-refused", $"The proxy {proxy} does not let us through", why, "Check HTTPS_PROXY and NO_PROXY, then restart the daemon with them (sudo HTTPS_PROXY=... fairlead restart)."), refused: false, inner);

    public static CarrierException OfProxySettings(FormatException e) => new(
        new ErrorInfo(ErrorCategory.NotConnected, "proxy-invalid", "The proxy in the daemon's environment makes no sense", e.Message, "Start the daemon with another HTTPS_PROXY, or without."), refused: true, e);

    private static CarrierException Refused(string code, string message, string why, string hint, ErrorCategory category = ErrorCategory.NotConnected) =>
        new(new ErrorInfo(category, code, message, why, hint), refused: true);

    private static CarrierException Transient(string code, string message, string why, Exception? inner = null) =>
        new(new ErrorInfo(ErrorCategory.NotConnected, code, message, why, "'fairlead doctor' tests the way to the gateway."), refused: false, inner);
}
