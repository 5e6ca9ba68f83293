using System.Net;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Server;

/// <summary>Answers queries. Called by several connections and datagrams at once.</summary>
public interface IDnsHandler
{
    /// <summary>
    /// The answer to one query, which has exactly one question and a known EDNS version. Whatever is thrown becomes SERVFAIL and goes to
    /// <see cref="DnsServerOptions.OnFault"/>; so does running past <see cref="DnsServerOptions.HandlerTimeout"/>, which cancels the token.
    /// </summary>
    ValueTask<DnsResponse> HandleAsync(DnsQuery query, CancellationToken cancellationToken);

    /// <summary>
    /// Answers a datagram at once where that needs no waiting and no parsing into objects; called one at a time, before <see cref="HandleAsync"/>. The octets are as they came
    /// from the network.
    /// </summary>
    /// <param name="answer">Room for <paramref name="ednsLimit"/> octets.</param>
    /// <param name="plainLimit">The longest answer to a query without EDNS, octets.</param>
    /// <param name="ednsLimit">The longest answer, whatever the query says.</param>
    /// <returns>The answer's length; 0: <see cref="HandleAsync"/> shall decide.</returns>
    int AnswerAtOnce(ReadOnlySpan<byte> query, Span<byte> answer, int plainLimit, int ednsLimit) => 0;
}

/// <param name="Message">The query, parsed; its only question is <see cref="Question"/>.</param>
/// <param name="Octets">The same as received, for forwarding.</param>
/// <param name="OverTcp">Over UDP the server truncates what doesn't fit; the handler needn't care.</param>
public sealed record DnsQuery(DnsMessage Message, ReadOnlyMemory<byte> Octets, IPEndPoint Client, bool OverTcp)
{
    public DnsQuestion Question => Message.Questions[0];
}

/// <summary>A message, or the octets of one that came from another server; its id is set to the query's.</summary>
public readonly struct DnsResponse : IEquatable<DnsResponse>
{
    public DnsResponse(DnsMessage message) => Message = message ?? throw new ArgumentNullException(nameof(message));

    /// <param name="octets">A whole message of at least <see cref="DnsMessage.HeaderLength"/> octets.</param>
    public DnsResponse(ReadOnlyMemory<byte> octets)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(octets.Length, DnsMessage.HeaderLength, nameof(octets));
        Octets = octets;
    }

    public DnsMessage? Message { get; }

    public ReadOnlyMemory<byte> Octets { get; }

    public static implicit operator DnsResponse(DnsMessage message) => ToDnsResponse(message);

    public static DnsResponse ToDnsResponse(DnsMessage message) => new(message);

    public static bool operator ==(DnsResponse left, DnsResponse right) => left.Equals(right);

    public static bool operator !=(DnsResponse left, DnsResponse right) => !left.Equals(right);

    public bool Equals(DnsResponse other) => Message == other.Message && Octets.Span.SequenceEqual(other.Octets.Span);

    public override bool Equals(object? obj) => obj is DnsResponse other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Message, Octets.Length);
}
