using System.Net;
using Fairlead.Contracts.Cluster;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;
using Fairlead.Tunnel;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Dns;

/// <summary>Hands DNS messages about granted names on to the cluster's DNS as they are, and answers REFUSED to all others.</summary>
/// <param name="server">The cluster's DNS, or null where the gateway runs outside any.</param>
/// <param name="gateway">The gateway's own Service, which nobody is granted.</param>
/// <param name="mayKnow">Whether somebody was granted something that has the address, and so may ask for its name.</param>
internal sealed partial class DnsForwarder(
    IPEndPoint? server, string clusterDomain, ObjectKey gateway, Func<Rights, IPAddress, bool> mayKnow, Func<PeerIdentity, Rights> rights, DnsClient client, ILogger<DnsForwarder> logger)
{
    private readonly DnsName services = DnsName.Parse("svc." + clusterDomain);
    private readonly DnsName cluster = DnsName.Parse(clusterDomain);

    /// <exception cref="DnsFormatException">It is not a query.</exception>
    public async Task<byte[]> AnswerAsync(PeerIdentity peer, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var query = DnsMessage.Parse(message.Span);
        if (query.IsResponse || query.Opcode != 0 || query.Questions is not [var question])
        {
            throw new DnsFormatException("not a query with one question");
        }

        if (Refusal(rights(peer), question.Name) is { } reason)
        {
            LogRefused(peer.Subject, question.Name, reason);
            return query.Reply(DnsResponseCode.Refused).ToArray();
        }

        if (server is null)
        {
            return query.Reply(DnsResponseCode.ServerFailure).ToArray();
        }

        try
        {
            return await client.ExchangeAsync(server, message, cancellationToken);
        }
        catch (DnsExchangeException e)
        {
            LogFailed(e.Message);
            return query.Reply(DnsResponseCode.ServerFailure).ToArray();
        }
    }

    /// <summary>Why the name may not be asked for, or null. A name below a service (an endpoint's, an SRV owner's) goes with the service.</summary>
    internal string? Refusal(Rights granted, DnsName name)
    {
        if (ReverseName.Parse(name) is { } address && mayKnow(granted, address))
        {
            return null;
        }

        if (!IsUnder(name, cluster))
        {
            return granted.MayResolveForeignNames ? null : "not a name of the cluster";
        }

        var labels = name.Labels;
        var below = labels.Count - services.LabelCount;
        if (below < 2 || !IsUnder(name, services))
        {
            return "not a service's name";
        }

        string service = labels[below - 2].ToLowerInvariant(), ns = labels[below - 1].ToLowerInvariant();
        return Subjects.IsLabel(service) && Subjects.IsLabel(ns) ? FlowPlanner.Denial(granted, new ObjectKey(ns, service), gateway) : "not a service's name";
    }

    private static bool IsUnder(DnsName name, DnsName suffix)
    {
        for (var extra = name.LabelCount - suffix.LabelCount; extra > 0; extra--)
        {
            name = name.Parent;
        }

        return name.Equals(suffix);
    }

    [LoggerMessage(1301, LogLevel.Warning, "denied: {Subject} may not resolve {Name}: {Reason}")]
    private partial void LogRefused(string subject, DnsName name, string reason);

    [LoggerMessage(1302, LogLevel.Warning, "the cluster's DNS gave no answer: {Error}")]
    private partial void LogFailed(string error);
}
