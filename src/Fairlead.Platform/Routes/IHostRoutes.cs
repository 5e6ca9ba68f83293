using System.Net;

namespace Fairlead.Platform.Routes;

/// <summary>
/// This host's routing: seen, followed, and changed in a table of our own that rules of our own lead to. Other tools' tables and rules
/// are never touched. Everything that was applied is marked (a protocol number of ours), in the journal, and gone after disposing.
/// Works in the network namespace of the thread that opened it. Thread-safe; calls that change something are serialised.
/// </summary>
public interface IHostRoutes : IAsyncDisposable
{
    /// <exception cref="HostException">The kernel refused, or kept changing it while we read.</exception>
    Task<HostNetwork> ReadAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Yields after routes, rules, links or addresses may have changed, whoever changed them but this object. Changes that nobody has fetched
    /// are folded into one. Ends only by cancellation.
    /// </summary>
    /// <exception cref="HostException">The kernel can't be listened to.</exception>
    IAsyncEnumerable<HostNetworkChange> WatchAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Brings the host from whatever of ours is on it to exactly <paramref name="next"/>: idempotent, and it brings back what somebody
    /// else took away. New ways are there before rules lead to them, and old ones go after the rules that led there. After a refusal of the
    /// kernel everything is as it was before.
    /// </summary>
    /// <returns>What was added and removed, one line each as <c>ip route</c> would say it; empty when nothing was to be done.</returns>
    /// <exception cref="HostException">The kernel refused.</exception>
    Task<IReadOnlyList<string>> ApplyAsync(RouteSet next, CancellationToken cancellationToken);
}

/// <param name="Cause">For people: <c>route 10.0.0.0/8 dev tun0 came</c>. The first of those that were folded.</param>
/// <param name="Device">Index of the link that it concerns; 0 when it is of none.</param>
public readonly record struct HostNetworkChange(string Cause, int Device = 0);

/// <summary>What is to be in our table and led to it: an immutable value.</summary>
/// <param name="Device">Index of the link that <paramref name="Prefixes"/> are routed into.</param>
/// <param name="Prefixes">Each gets a route in our table and a rule that leads there.</param>
/// <param name="Exceptions">Inside prefixes, but not ours: they keep the way that they have without us (a throw route).</param>
/// <param name="Priority">Of our rules for IPv4.</param>
/// <param name="Priority6">Of our rules for IPv6.</param>
public sealed record RouteSet(int Device, IReadOnlyList<IPNetwork> Prefixes, IReadOnlyList<IPNetwork> Exceptions, uint Priority, uint Priority6)
{
    /// <summary>Nothing of ours on the host.</summary>
    public static readonly RouteSet Empty = new(0, [], [], 0, 0);
}
