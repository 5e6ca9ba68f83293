using Fairlead.Dns.Client;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;
using Fairlead.Dns.Zones;

namespace Fairlead.Dns;

/// <summary>
/// Split DNS: names of the zone are answered from memory, other record types of them and the suffixes that are the cluster's are asked of the cluster, all
/// else of the host's own servers.
/// </summary>
/// <param name="zone">The zone at this moment.</param>
public sealed class SplitHandler(Func<Zone> zone, Forwarder forwarder) : IDnsHandler
{
    /// <summary>Aliases that lead to aliases; as many as common resolvers follow.</summary>
    private const int MaxAliases = 8;

    /// <summary>Answers of the cluster are kept no longer, seconds: a plan may translate their addresses otherwise.</summary>
    private const uint LongestLife = 30;

    private const DnsType IncrementalTransfer = (DnsType)251;

    public int AnswerAtOnce(ReadOnlySpan<byte> query, Span<byte> answer, int plainLimit, int ednsLimit) => QuickAnswer.Write(zone(), query, answer, plainLimit, ednsLimit);

    public async ValueTask<DnsResponse> HandleAsync(DnsQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        var question = query.Question;
        if (question.Class != DnsClass.Internet || question.Type is DnsType.Axfr or IncrementalTransfer or DnsType.Opt)
        {
            return query.Message.Reply(DnsResponseCode.Refused);
        }

        return await AnswerAsync(zone(), query.Message, 0, cancellationToken);
    }

    /// <summary>Names by which programs look for others in their network without being asked to: they stay on this machine.</summary>
    public static bool StaysHere(DnsName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var labels = name.Labels;
        return labels.Count > 0 && (labels[0].Equals("wpad", StringComparison.OrdinalIgnoreCase) || labels.Any(label => label.Equals("_dns-sd", StringComparison.OrdinalIgnoreCase)));
    }

    private async ValueTask<DnsMessage> AnswerAsync(Zone current, DnsMessage query, int aliases, CancellationToken cancellationToken)
    {
        var question = query.Questions[0];
        if (current.Find(question.Name) is { } known)
        {
            return known.Alias is { } alias
                ? await FollowAsync(current, query, alias, known, aliases, cancellationToken)
                : await AnswerKnownAsync(query, known, cancellationToken);
        }

        if (current.FindServices(question.Name, out var service) is { } services)
        {
            return service!.Cluster is { IsUp: false } ? Ours(query, DnsResponseCode.ServerFailure)
                : Ours(query, DnsResponseCode.NoError, question.Type is DnsType.Srv or DnsType.Any ? services : []);
        }

        if (StaysHere(question.Name))
        {
            return Ours(query, DnsResponseCode.NameError);
        }

        switch (current.FindSuffix(question.Name))
        {
            case { Use: SuffixUse.Owned } owned:
                return owned.Cluster is { IsUp: false } ? Ours(query, DnsResponseCode.ServerFailure)
                    : Ours(query, owned.Suffix == question.Name ? DnsResponseCode.NoError : DnsResponseCode.NameError);
            case { Use: SuffixUse.Cluster, Cluster: { } cluster }:
                return await AskClusterAsync(query, cluster, question.Name, cancellationToken);
            case { Use: SuffixUse.Fleeting }:
                return await forwarder.AnswerAsync(query, forgetDenials: true, cancellationToken);
            default:
                return await forwarder.AnswerAsync(query, forgetDenials: false, cancellationToken);
        }
    }

    private static async ValueTask<DnsMessage> AnswerKnownAsync(DnsMessage query, ZoneName known, CancellationToken cancellationToken)
    {
        var question = query.Questions[0];
        if (known.Cluster is { IsUp: false })
        {
            return Ours(query, DnsResponseCode.ServerFailure);
        }

        // The family that a name doesn't have is empty, whatever the cluster's DNS says: the two never disagree.
        var records = Zone.Records(known, question.Name, question.Type);
        return records.Count > 0 || question.Type is DnsType.A or DnsType.Aaaa or DnsType.Any || known.Cluster is not { } cluster || known.ClusterName is not { } name
            ? Ours(query, DnsResponseCode.NoError, records)
            : await AskClusterAsync(query, cluster, name, cancellationToken);
    }

    /// <summary>The alias, and what it leads to, wherever that is.</summary>
    private async ValueTask<DnsMessage> FollowAsync(Zone current, DnsMessage query, DnsName alias, ZoneName known, int aliases, CancellationToken cancellationToken)
    {
        var question = query.Questions[0];
        if (known.Cluster is { IsUp: false })
        {
            return Ours(query, DnsResponseCode.ServerFailure);
        }

        var records = Zone.Records(known, question.Name, question.Type);
        if (question.Type == DnsType.CName)
        {
            return Ours(query, DnsResponseCode.NoError, records);
        }

        if (aliases >= MaxAliases)
        {
            return Ours(query, DnsResponseCode.ServerFailure);
        }

        var target = await AnswerAsync(current, query with { Questions = [question with { Name = alias }] }, aliases + 1, cancellationToken);
        return Ours(query, target.ResponseCode, [.. records, .. target.Answers]);
    }

    /// <param name="name">By which the cluster knows it; the answer has the asked one.</param>
    private static async ValueTask<DnsMessage> AskClusterAsync(DnsMessage query, IClusterDns cluster, DnsName name, CancellationToken cancellationToken)
    {
        var question = query.Questions[0];
        if (!cluster.IsUp)
        {
            return Ours(query, DnsResponseCode.ServerFailure);
        }

        try
        {
            var answer = await cluster.AskAsync(DnsMessage.Query(0, name, question.Type), cancellationToken);
            var records = cluster.ToLocal(answer.Answers).Select(record => record with
            {
                Name = record.Name == name ? question.Name : record.Name,
                TimeToLive = Math.Min(record.TimeToLive, LongestLife),
            });
            return Ours(query, (DnsResponseCode)((int)answer.ResponseCode & 0xf), [.. records]);
        }
        catch (DnsExchangeException)
        {
            return Ours(query, DnsResponseCode.ServerFailure);
        }
    }

    /// <summary>A denial has no SOA record, so that nobody keeps it (RFC 2308 §5): the name may exist at the next moment.</summary>
    private static DnsMessage Ours(DnsMessage query, DnsResponseCode code, IReadOnlyList<DnsRecord>? records = null) =>
        query.Reply(code, records, DnsFlags.Authoritative | DnsFlags.RecursionAvailable);
}
