using System.Net;

namespace Fairlead.Dns.Messages;

public sealed record DnsQuestion(DnsName Name, DnsType Type, DnsClass Class = DnsClass.Internet);

/// <param name="TimeToLive">Seconds; values above 2^31-1 on the wire read as 0 (RFC 2181 §8).</param>
public sealed record DnsRecord(DnsName Name, DnsType Type, uint TimeToLive, DnsData Data, DnsClass Class = DnsClass.Internet)
{
    public static DnsRecord Address(DnsName name, uint timeToLive, IPAddress address) =>
        new(name, new AddressData(address).Type, timeToLive, new AddressData(address));
}

/// <summary>What a record says. Records compare by value.</summary>
public abstract record DnsData
{
    private protected DnsData()
    {
    }
}

/// <summary>A or AAAA.</summary>
public sealed record AddressData(IPAddress Value) : DnsData
{
    internal DnsType Type => Value.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? DnsType.Aaaa : DnsType.A;
}

/// <summary>CNAME, NS or PTR.</summary>
public sealed record NameData(DnsName Value) : DnsData;

public sealed record MailExchangeData(ushort Preference, DnsName Exchange) : DnsData;

/// <summary>RFC 2782.</summary>
public sealed record ServiceData(ushort Priority, ushort Weight, ushort Port, DnsName Target) : DnsData;

public sealed record AuthorityData(DnsName PrimaryServer, DnsName Mailbox, uint Serial, uint Refresh, uint Retry, uint Expire, uint Minimum) : DnsData;

/// <summary>One or more strings of up to 255 octets each.</summary>
public sealed record TextData(IReadOnlyList<ReadOnlyMemory<byte>> Strings) : DnsData
{
    public bool Equals(TextData? other) =>
        other is not null && Strings.Count == other.Strings.Count && Strings.Zip(other.Strings).All(pair => pair.First.Span.SequenceEqual(pair.Second.Span));

    public override int GetHashCode() => Strings.Count;
}

/// <summary>SVCB and HTTPS (RFC 9460): parameters by ascending key, their values as on the wire.</summary>
public sealed record ServiceBindingData(ushort Priority, DnsName Target, IReadOnlyList<KeyValuePair<ushort, ReadOnlyMemory<byte>>> Parameters) : DnsData
{
    public bool Equals(ServiceBindingData? other) =>
        other is not null && Priority == other.Priority && Target.Equals(other.Target) && Parameters.Count == other.Parameters.Count
        && Parameters.Zip(other.Parameters).All(pair => pair.First.Key == pair.Second.Key && pair.First.Value.Span.SequenceEqual(pair.Second.Value.Span));

    public override int GetHashCode() => HashCode.Combine(Priority, Target, Parameters.Count);
}

/// <summary>Any other type: the octets as they are (RFC 3597; such a type never holds compressed names).</summary>
public sealed record OpaqueData(ReadOnlyMemory<byte> Value) : DnsData
{
    public bool Equals(OpaqueData? other) => other is not null && Value.Span.SequenceEqual(other.Value.Span);

    public override int GetHashCode() => Value.Length;
}
