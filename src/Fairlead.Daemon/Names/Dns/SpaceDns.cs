using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Spaces;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Zones;

namespace Fairlead.Daemon.Names.Dns;

/// <summary>The DNS of a space's cluster, asked through its gateway.</summary>
/// <param name="toLocal">The address by which local programs reach one of the cluster; null when they can't.</param>
internal sealed class SpaceDns(Space space, Func<IPAddress, IPAddress?> toLocal) : IClusterDns
{
    // RFC 9460 §14.3.2: the keys without which a record is malformed, and lists of addresses, in the data of SVCB and HTTPS.
    private const ushort Mandatory = 0;
    private const ushort IPv4Hint = 4;
    private const ushort IPv6Hint = 6;

    public bool IsUp => space.Link.Status.State == LinkState.Connected;

    public async Task<DnsMessage> AskAsync(DnsMessage query, CancellationToken cancellationToken)
    {
        try
        {
            return DnsMessage.Parse(await GatewayClient.AskDnsAsync(space.Link.Api, query.ToArray(), cancellationToken));
        }
        catch (Exception e) when (e is FairleadException or DnsFormatException)
        {
            throw new DnsExchangeException($"The cluster of space {space.Record.Name} gave no answer: {e.Message}", e);
        }
    }

    public IReadOnlyList<DnsRecord> ToLocal(IReadOnlyList<DnsRecord> records)
    {
        var translated = new List<DnsRecord>(records.Count);
        foreach (var record in records)
        {
            switch (record.Data)
            {
                case AddressData { Value: var real }:
                    if (toLocal(real) is { } local)
                    {
                        translated.Add(record with { Data = new AddressData(local) });
                    }

                    break;
                case ServiceBindingData binding:
                    var parameters = binding.Parameters.Select(Translate).Where(parameter => parameter.Value.Length > 0 || !IsHint(parameter.Key)).ToList();
                    if (MandatoryOf(binding).All(key => parameters.Exists(parameter => parameter.Key == key)))
                    {
                        translated.Add(record with { Data = binding with { Parameters = parameters } });
                    }

                    break;
                default:
                    translated.Add(record);
                    break;
            }
        }

        return translated;
    }

    private static IEnumerable<ushort> MandatoryOf(ServiceBindingData binding) =>
        binding.Parameters.FirstOrDefault(parameter => parameter.Key == Mandatory).Value.ToArray().Chunk(2).Where(key => key.Length == 2).Select(key => BinaryPrimitives.ReadUInt16BigEndian(key));

    private static bool IsHint(ushort key) => key is IPv4Hint or IPv6Hint;

    private KeyValuePair<ushort, ReadOnlyMemory<byte>> Translate(KeyValuePair<ushort, ReadOnlyMemory<byte>> parameter)
    {
        if (!IsHint(parameter.Key))
        {
            return parameter;
        }

        var size = parameter.Key == IPv4Hint ? 4 : 16;
        var hints = new List<byte>();
        for (var at = 0; at + size <= parameter.Value.Length; at += size)
        {
            if (toLocal(new IPAddress(parameter.Value.Span.Slice(at, size))) is { } local && local.GetAddressBytes() is var octets && octets.Length == size)
            {
                hints.AddRange(octets);
            }
        }

        return new(parameter.Key, hints.ToArray());
    }
}
