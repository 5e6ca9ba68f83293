using System.Net;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Server;

/// <summary>From the octets of a query to the octets of its answer: what the header demands is settled here, the rest by the handler.</summary>
internal sealed class DnsResponder(IDnsHandler handler, DnsServerOptions options)
{
    /// <summary>Without EDNS (RFC 1035 §4.2.1).</summary>
    public const int PlainDatagram = 512;

    /// <returns>Null when the octets deserve no answer: shorter than a header, or a response (answering those could make a loop).</returns>
    public async ValueTask<ReadOnlyMemory<byte>?> AnswerAsync(ReadOnlyMemory<byte> octets, IPEndPoint client, bool overTcp, CancellationToken cancellationToken)
    {
        if (octets.Length < DnsMessage.HeaderLength || (octets.Span[2] & 0x80) != 0)
        {
            return null;
        }

        DnsMessage query;
        try
        {
            query = DnsMessage.Parse(octets.Span);
        }
        catch (DnsFormatException)
        {
            return HeaderOf(octets.Span).Reply(DnsResponseCode.FormatError).ToArray();
        }

        var limit = overTcp ? DnsMessage.MaxLength : query.Edns is { } edns ? Math.Clamp(edns.UdpPayload, PlainDatagram, options.MaxDatagram) : PlainDatagram;
        var refusal = query switch
        {
            { Opcode: not 0 } => DnsResponseCode.NotImplemented,
            { Questions.Count: not 1 } => DnsResponseCode.FormatError,
            { Edns.Version: > 0 } => DnsResponseCode.BadVersion,
            _ => DnsResponseCode.NoError,
        };
        if (refusal != DnsResponseCode.NoError)
        {
            return (query with { Questions = query.Questions.Count == 1 ? query.Questions : [] }).Reply(refusal).ToArray();
        }

        try
        {
            var response = await HandleAsync(new DnsQuery(query, octets, client, overTcp), cancellationToken);
            return Encode(response, query, limit);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            options.OnFault?.Invoke(exception);
            return query.Reply(DnsResponseCode.ServerFailure).ToArray();
        }
    }

    /// <returns>SERVFAIL with the question, or null when the octets deserve no answer.</returns>
    public static byte[]? Overloaded(ReadOnlySpan<byte> octets)
    {
        if (octets.Length < DnsMessage.HeaderLength || (octets[2] & 0x80) != 0)
        {
            return null;
        }

        try
        {
            return DnsMessage.Parse(octets).Reply(DnsResponseCode.ServerFailure).ToArray();
        }
        catch (DnsFormatException)
        {
            return HeaderOf(octets).Reply(DnsResponseCode.FormatError).ToArray();
        }
    }

    private async ValueTask<DnsResponse> HandleAsync(DnsQuery query, CancellationToken cancellationToken)
    {
        using var deadline = new Deadline(options.HandlerTimeout, options.Time, cancellationToken);
        return await handler.HandleAsync(query, deadline.Token);
    }

    private static ReadOnlyMemory<byte> Encode(DnsResponse response, DnsMessage query, int limit)
    {
        if (response.Message is { } message)
        {
            var buffer = new byte[limit];
            var length = (message with { Id = query.Id }).Write(buffer);
            if (length >= 0)
            {
                return buffer.AsMemory(0, length);
            }

            return limit == DnsMessage.MaxLength
                ? throw new InvalidOperationException($"The answer to {query.Questions[0].Name} is longer than a DNS message can be.")
                : Truncated(query, message.ResponseCode, message.Flags);
        }

        if (response.Octets.IsEmpty)
        {
            throw new InvalidOperationException("The handler gave an empty response.");
        }

        if (response.Octets.Length > limit)
        {
            var header = HeaderOf(response.Octets.Span);
            return Truncated(query, header.ResponseCode, header.Flags);
        }

        var octets = response.Octets.ToArray();
        DnsMessage.WriteId(octets, query.Id);
        return octets;
    }

    /// <summary>No records at all: a client that sees TC asks again over TCP and must not use a part (RFC 2181 §9).</summary>
    private static byte[] Truncated(DnsMessage query, DnsResponseCode code, DnsFlags flags)
    {
        // The upper bits of the code live in the OPT record, which a client without EDNS doesn't get.
        var reply = query.Reply(query.Edns is null ? (DnsResponseCode)((int)code & 0xf) : code);
        return (reply with { Flags = flags | reply.Flags | DnsFlags.Truncated }).ToArray();
    }

    private static DnsMessage HeaderOf(ReadOnlySpan<byte> octets)
    {
        Span<byte> header = stackalloc byte[DnsMessage.HeaderLength];
        octets[..4].CopyTo(header);
        header[4..].Clear();
        return DnsMessage.Parse(header);
    }
}
