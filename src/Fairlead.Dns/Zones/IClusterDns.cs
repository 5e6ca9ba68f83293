using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Zones;

/// <summary>The cluster that names of a zone belong to.</summary>
public interface IClusterDns
{
    /// <summary>Whether it can be reached: while it can't, its names are answered by SERVFAIL, never denied.</summary>
    bool IsUp { get; }

    /// <summary>Asks the cluster's DNS.</summary>
    /// <param name="query">One question.</param>
    /// <returns>Its answer, whatever the code. Addresses in it are the cluster's own.</returns>
    /// <exception cref="Client.DnsExchangeException">There is none.</exception>
    Task<DnsMessage> AskAsync(DnsMessage query, CancellationToken cancellationToken);

    /// <summary>The records as local programs can use them: addresses are translated to those by which they are reached here, and what can't be reached is left out.</summary>
    IReadOnlyList<DnsRecord> ToLocal(IReadOnlyList<DnsRecord> records);
}
