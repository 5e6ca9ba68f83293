using System.Net;

namespace Fairlead.Daemon.Names;

/// <summary>One line of our section: an address of the loopback range and the names that lead to it, lower case, at least one.</summary>
internal sealed record HostsEntry(IPAddress Address, IReadOnlyList<string> Names);

/// <summary>What the lines of others in a hosts file say, as far as it concerns us.</summary>
/// <param name="Names">Those of the names that we mean to publish which somebody else's line defines already.</param>
/// <param name="Addresses">Addresses inside our ranges that somebody else's line uses.</param>
internal sealed record ForeignHosts(IReadOnlySet<string> Names, IReadOnlySet<IPAddress> Addresses)
{
    public static readonly ForeignHosts None = new(new HashSet<string>(), new HashSet<IPAddress>());
}
