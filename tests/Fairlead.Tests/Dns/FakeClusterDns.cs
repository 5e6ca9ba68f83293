using System.Net;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;

namespace Fairlead.Tests.Dns;

/// <summary>A cluster's DNS that answers as it is told.</summary>
internal sealed class FakeClusterDns : IClusterDns
{
    public bool IsUp { get; set; } = true;

    public List<DnsQuestion> Asked { get; } = [];

    /// <summary>Null: no answer.</summary>
    public Func<DnsMessage, DnsMessage?> Answer { get; set; } = query => query.Reply(DnsResponseCode.NoError);

    public Task<DnsMessage> AskAsync(DnsMessage query, CancellationToken cancellationToken)
    {
        Asked.Add(query.Questions[0]);
        return Task.FromResult(Answer(query) ?? throw new DnsExchangeException("the link is down", null));
    }

    /// <summary>10.96.0.0/16 is reached as 246.246.0.0/16, nothing else is.</summary>
    public IReadOnlyList<DnsRecord> ToLocal(IReadOnlyList<DnsRecord> records) => [.. records
        .Where(record => record.Data is not AddressData { Value: var address } || address.ToString().StartsWith("10.96.", StringComparison.Ordinal))
        .Select(record => record.Data is AddressData data ? record with { Data = new AddressData(IPAddress.Parse(data.Value.ToString().Replace("10.96.", "246.246.", StringComparison.Ordinal))) } : record)];
}
