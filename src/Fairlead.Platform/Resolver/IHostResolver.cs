using System.Net;

namespace Fairlead.Platform.Resolver;

/// <summary>
/// Who turns names into addresses on this host, and how they are led to a DNS server of ours. A claim is in the journal before anything is
/// changed, and undone by <see cref="ReleaseAsync"/>, by disposing, and by <see cref="IHost.TryUndoAsync"/> after a kill. Thread-safe; calls that change something
/// are serialised. Works in the network and mount namespaces of the process.
/// </summary>
public interface IHostResolver : IAsyncDisposable
{
    /// <summary>
    /// How names are resolved here, without us: while a claim is in force, what would count without it. Read anew by each call.
    /// </summary>
    /// <exception cref="HostException">It can't be read.</exception>
    Task<ResolverState> ReadAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Yields when <see cref="ReadAsync"/> may answer otherwise than before, or when somebody else (a VPN, a DHCP client) took the claim's change away.
    /// The caller then reads, and claims again. Changes that nobody has fetched are folded into one. Ends only by cancellation.
    /// </summary>
    IAsyncEnumerable<ResolverChange> WatchAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Leads names to our server. Idempotent: brings back what somebody else took away, and another claim takes the place of the one before.
    /// Where somebody else keeps taking it away it is left at that after a few times; the outcome says so, and the next one that differs tries again.
    /// </summary>
    /// <exception cref="HostException">The host refused; it is as it was before.</exception>
    Task<ResolverOutcome> ClaimAsync(ResolverClaim claim, CancellationToken cancellationToken);

    /// <summary>Whoever on this host keeps answers forgets them: names came or went.</summary>
    /// <exception cref="HostException">It refused.</exception>
    Task ForgetAnswersAsync(CancellationToken cancellationToken);

    /// <summary>Everything as it was without us; also what an earlier process left that was killed, or lost its journal with the power.</summary>
    /// <returns>Whether there was anything to undo.</returns>
    /// <exception cref="HostException">It couldn't be undone; the journal still has it.</exception>
    Task<bool> ReleaseAsync(CancellationToken cancellationToken);
}

/// <summary>Who answers the programs of this host.</summary>
public enum ResolverOwner
{
    /// <summary>The servers that resolv.conf names.</summary>
    ResolvConf,

    /// <summary>systemd-resolved: its stub, or its own protocols, are what programs ask.</summary>
    SystemdResolved,
}

/// <param name="Description">For people: who it is, such as <c>systemd-resolved</c> or <c>/etc/resolv.conf, written by NetworkManager</c>.</param>
/// <param name="Servers">Those that are asked in the end, best first, none of them ours; empty when there is none.</param>
/// <param name="Search">Suffixes that are tried for short names.</param>
public sealed record ResolverState(ResolverOwner Owner, string Description, IReadOnlyList<IPEndPoint> Servers, IReadOnlyList<string> Search)
{
    public bool Equals(ResolverState? other) => other is not null && Owner == other.Owner && Description == other.Description
        && Servers.SequenceEqual(other.Servers) && Search.SequenceEqual(other.Search);

    public override int GetHashCode() => HashCode.Combine(Owner, Description, Servers.Count, Search.Count);
}

/// <summary>What is to be asked of our server.</summary>
/// <param name="Server">
/// Where it listens (UDP and TCP, port 53), an address of the loopback range. It answers every name, those outside <paramref name="Domains"/> too, since
/// resolv.conf can't tell them apart.
/// </param>
/// <param name="Device">
/// Name of our device, for resolvers that keep servers per link; null: one is made where it is needed. Nothing is routed into it by that.
/// </param>
/// <param name="Domains">Suffixes without dots at their ends whose names are asked of our server, where the host can tell names apart.</param>
/// <param name="Search">Suffixes that are tried first for short names.</param>
public sealed record ResolverClaim(IPAddress Server, string? Device, IReadOnlyList<string> Domains, IReadOnlyList<string> Search)
{
    public bool Equals(ResolverClaim? other) => other is not null && Server.Equals(other.Server) && Device == other.Device
        && Domains.SequenceEqual(other.Domains) && Search.SequenceEqual(other.Search);

    public override int GetHashCode() => HashCode.Combine(Server, Device, Domains.Count, Search.Count);
}

/// <param name="Problem">Null when programs ask our server now; else why they don't, one clause for people.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record ResolverOutcome(string? Problem, string? Hint)
{
    public static readonly ResolverOutcome Claimed = new(null, null);
}

/// <param name="Cause">For people: <c>/etc/resolv.conf was rewritten</c>.</param>
public readonly record struct ResolverChange(string Cause);
