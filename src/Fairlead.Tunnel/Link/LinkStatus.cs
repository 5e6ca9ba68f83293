using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Tunnel.Link;

/// <summary>The state of a link at one moment.</summary>
/// <param name="Problem">Why it is not connected; null when it is, or before the first attempt ended.</param>
/// <param name="Carrier"><c>direct</c>, <c>websocket</c> or <c>port-forward</c>; null while there is none.</param>
/// <param name="Gateway">The endpoint in use as <c>host:port</c>, or the API server's URL.</param>
/// <param name="RoundTrip">Smoothed, over the data path.</param>
/// <param name="Ways">Every way there is, the best first, with what is known of each.</param>
/// <param name="Replicas">Names of the gateway's pods that answer.</param>
public sealed record LinkStatus(
    LinkState State, DateTimeOffset Since, ErrorInfo? Problem, string? Carrier, string? Gateway, TimeSpan? RoundTrip, IReadOnlyList<WayStatus> Ways, IReadOnlyCollection<string> Replicas);
