using System.Buffers.Binary;

namespace Fairlead.Dns.Messages;

/// <summary>One DNS message (RFC 1035 §4), with EDNS (RFC 6891) taken out of the additional section.</summary>
public sealed record DnsMessage
{
    public const int HeaderLength = 12;

    /// <summary>The two length octets of TCP allow no more.</summary>
    public const int MaxLength = 65535;

    public ushort Id { get; init; }

    public DnsFlags Flags { get; init; }

    /// <summary>0 is a query; others are answered by NotImplemented.</summary>
    public byte Opcode { get; init; }

    /// <summary>12 bits when <see cref="Edns"/> is present, otherwise 4.</summary>
    public DnsResponseCode ResponseCode { get; init; }

    public IReadOnlyList<DnsQuestion> Questions { get; init; } = [];

    public IReadOnlyList<DnsRecord> Answers { get; init; } = [];

    public IReadOnlyList<DnsRecord> Authorities { get; init; } = [];

    /// <summary>Without the OPT record.</summary>
    public IReadOnlyList<DnsRecord> Additionals { get; init; } = [];

    public DnsEdns? Edns { get; init; }

    public bool IsResponse => Flags.HasFlag(DnsFlags.Response);

    public bool IsTruncated => Flags.HasFlag(DnsFlags.Truncated);

    /// <summary>A query with recursion desired and EDNS with a payload of <see cref="DnsEdns.DefaultPayload"/>.</summary>
    public static DnsMessage Query(ushort id, DnsName name, DnsType type) => new()
    {
        Id = id,
        Flags = DnsFlags.RecursionDesired,
        Questions = [new DnsQuestion(name, type)],
        Edns = new DnsEdns(DnsEdns.DefaultPayload),
    };

    /// <summary>An answer to this query: its id, opcode, question and recursion bit; EDNS when the query had it.</summary>
    public DnsMessage Reply(DnsResponseCode code, IReadOnlyList<DnsRecord>? answers = null, DnsFlags flags = DnsFlags.None) => new()
    {
        Id = Id,
        Opcode = Opcode,
        Flags = DnsFlags.Response | flags | (Flags & (DnsFlags.RecursionDesired | DnsFlags.CheckingDisabled)),
        ResponseCode = code,
        Questions = Questions,
        Answers = answers ?? [],
        Edns = Edns is null ? null : new DnsEdns(DnsEdns.DefaultPayload),
    };

    /// <summary>Octets after the last record are ignored, as servers do.</summary>
    /// <exception cref="DnsFormatException">Not a message.</exception>
    public static DnsMessage Parse(ReadOnlySpan<byte> octets)
    {
        var reader = new DnsReader(octets);
        return DnsMessageCodec.Read(ref reader);
    }

    /// <summary>Writes to <paramref name="destination"/>, names compressed.</summary>
    /// <returns>The length, or -1 when it doesn't fit.</returns>
    /// <exception cref="ArgumentException">A record's data doesn't suit its type, or a field is too long for the wire.</exception>
    public int Write(Span<byte> destination)
    {
        var writer = new DnsWriter(destination);
        DnsMessageCodec.Write(ref writer, this);
        return writer.Overflowed ? -1 : writer.Length;
    }

    /// <exception cref="ArgumentException">As <see cref="Write"/>, or longer than <see cref="MaxLength"/>.</exception>
    public byte[] ToArray()
    {
        Span<byte> small = stackalloc byte[1024];
        var length = Write(small);
        if (length >= 0)
        {
            return small[..length].ToArray();
        }

        var large = new byte[MaxLength];
        length = Write(large);
        return length >= 0 ? large[..length] : throw new ArgumentException($"The message is longer than {MaxLength} octets.");
    }

    /// <summary>The id of a raw message; it has at least <see cref="HeaderLength"/> octets.</summary>
    public static ushort ReadId(ReadOnlySpan<byte> octets) => BinaryPrimitives.ReadUInt16BigEndian(octets);

    public static void WriteId(Span<byte> octets, ushort id) => BinaryPrimitives.WriteUInt16BigEndian(octets, id);
}

/// <summary>RFC 6891.</summary>
/// <param name="UdpPayload">The largest UDP payload that the sender takes, octets.</param>
/// <param name="Options">The OPT record's data as on the wire.</param>
public sealed record DnsEdns(ushort UdpPayload, byte Version = 0, bool DnssecOk = false, ReadOnlyMemory<byte> Options = default)
{
    /// <summary>Fits an IPv6 minimum MTU without fragments.</summary>
    public const ushort DefaultPayload = 1232;

    public bool Equals(DnsEdns? other) => other is not null && UdpPayload == other.UdpPayload && Version == other.Version
        && DnssecOk == other.DnssecOk && Options.Span.SequenceEqual(other.Options.Span);

    public override int GetHashCode() => HashCode.Combine(UdpPayload, Version, DnssecOk, Options.Length);
}
