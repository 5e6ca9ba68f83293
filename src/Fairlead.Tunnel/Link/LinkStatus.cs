using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Tunnel.Link;

/// <summary>The state of a link at one moment.</summary>
/// <param name="Problem">Why it is not connected; null when it is, or before the first attempt ended.</param>
/// <param name="Carrier"><c>direct</c> or <c>websocket</c>; null while there is none.</param>
/// <param name="Gateway">The endpoint in use as <c>host:port</c>.</param>
/// <param name="RoundTrip">Smoothed, over the data path.</param>
public sealed record LinkStatus(LinkState State, DateTimeOffset Since, ErrorInfo? Problem, string? Carrier, string? Gateway, TimeSpan? RoundTrip);
