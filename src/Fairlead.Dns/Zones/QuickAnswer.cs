using System.Buffers.Binary;
using System.Net;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Zones;

/// <summary>
/// Answers the one kind of query that comes a hundred thousand times a second, an ordinary one for the addresses of a name of the zone, from octets
/// to octets without an allocation. Whatever is out of the ordinary is left to the handler.
/// </summary>
internal static class QuickAnswer
{
    private const int EdnsLength = 11; // of an OPT record without options
    private const int RecordHead = 12; // pointer, type, class, TTL, length

    /// <summary>QR, AA, RA; the query's RD is added.</summary>
    private const ushort AnswerBits = 0x8480;

    private const ushort PointerToQuestion = 0xc00c;

    /// <param name="plainLimit">The longest answer to a query without EDNS, octets.</param>
    /// <param name="ednsLimit">The longest answer, whatever the query says.</param>
    /// <returns>The answer's length; 0 when the handler must have a look.</returns>
    public static int Write(Zone zone, ReadOnlySpan<byte> query, Span<byte> answer, int plainLimit, int ednsLimit)
    {
        // One question, and nothing else but at most one additional record; opcode 0, no TC, no response.
        if (query.Length < DnsMessage.HeaderLength + 5 || (query[2] & 0xfa) != 0
            || BinaryPrimitives.ReadUInt32BigEndian(query[4..]) != 0x0001_0000 || BinaryPrimitives.ReadUInt16BigEndian(query[8..]) != 0 || query[10] != 0 || query[11] > 1)
        {
            return 0;
        }

        Span<byte> lower = stackalloc byte[DnsName.MaxWireLength];
        var nameLength = CopyLower(query[DnsMessage.HeaderLength..], lower);
        var end = DnsMessage.HeaderLength + nameLength + 4;
        if (nameLength == 0 || end > query.Length)
        {
            return 0;
        }

        var type = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(query[(end - 4)..]);
        if (type is not (DnsType.A or DnsType.Aaaa) || BinaryPrimitives.ReadUInt16BigEndian(query[(end - 2)..]) != (ushort)DnsClass.Internet
            || zone.Find(lower[..nameLength]) is not { IsPlain: true } name)
        {
            return 0;
        }

        var hasEdns = query[11] == 1;
        var limit = plainLimit;
        if (hasEdns && !TryReadEdns(query[end..], plainLimit, ednsLimit, out limit))
        {
            return 0;
        }

        var isUp = name.Cluster is null || name.Cluster.IsUp;
        var addresses = !isUp ? [] : type == DnsType.A ? name.IPv4 : name.IPv6;
        var addressLength = type == DnsType.A ? 4 : 16;
        var length = end + (addresses.Length * (RecordHead + addressLength)) + (hasEdns ? EdnsLength : 0);
        if (length > Math.Min(limit, answer.Length))
        {
            return 0;
        }

        query[..end].CopyTo(answer);
        BinaryPrimitives.WriteUInt16BigEndian(answer[2..], (ushort)(AnswerBits | ((query[2] & 0x01) << 8) | (query[3] & 0x10) | (int)(isUp ? DnsResponseCode.NoError : DnsResponseCode.ServerFailure)));
        BinaryPrimitives.WriteUInt16BigEndian(answer[6..], (ushort)addresses.Length);
        var at = end;
        for (var i = 0; i < addresses.Length; i++)
        {
            var record = answer[at..];
            BinaryPrimitives.WriteUInt16BigEndian(record, PointerToQuestion);
            BinaryPrimitives.WriteUInt16BigEndian(record[2..], (ushort)type);
            BinaryPrimitives.WriteUInt16BigEndian(record[4..], (ushort)DnsClass.Internet);
            BinaryPrimitives.WriteUInt32BigEndian(record[6..], Zone.TimeToLive);
            BinaryPrimitives.WriteUInt16BigEndian(record[10..], (ushort)addressLength);
            addresses[i].TryWriteBytes(record[RecordHead..], out _);
            at += RecordHead + addressLength;
        }

        if (hasEdns)
        {
            var record = answer.Slice(at, EdnsLength);
            record.Clear();
            record[2] = (byte)DnsType.Opt;
            BinaryPrimitives.WriteUInt16BigEndian(record[3..], DnsEdns.DefaultPayload);
            record[7] = (byte)(query[end + 7] & 0x80); // DO comes back as it came (RFC 3225 §3)
        }

        return length;
    }

    /// <summary>An OPT record of version 0, with nothing behind it; its options may be ignored (RFC 6891 §6.1.2).</summary>
    private static bool TryReadEdns(ReadOnlySpan<byte> record, int plainLimit, int ednsLimit, out int limit)
    {
        limit = 0;
        if (record.Length < EdnsLength || record[0] != 0 || BinaryPrimitives.ReadUInt16BigEndian(record[1..]) != (ushort)DnsType.Opt || record[6] != 0
            || record.Length != EdnsLength + BinaryPrimitives.ReadUInt16BigEndian(record[9..]))
        {
            return false;
        }

        limit = Math.Clamp(BinaryPrimitives.ReadUInt16BigEndian(record[3..]), plainLimit, ednsLimit);
        return true;
    }

    /// <summary>The name at the start of <paramref name="octets"/>, in lower case; 0 when it isn't a whole one without pointers.</summary>
    private static int CopyLower(ReadOnlySpan<byte> octets, Span<byte> lower)
    {
        var at = 0;
        while (at < octets.Length)
        {
            int count = octets[at];
            if (count == 0)
            {
                lower[at] = 0;
                return at + 1;
            }

            // One octet stays free for the root's zero.
            if (count > DnsName.MaxLabelLength || at + count + 1 >= Math.Min(octets.Length, DnsName.MaxWireLength))
            {
                return 0;
            }

            lower[at] = (byte)count;
            for (var i = at + 1; i <= at + count; i++)
            {
                lower[i] = DnsName.Lower(octets[i]);
            }

            at += count + 1;
        }

        return 0;
    }
}
