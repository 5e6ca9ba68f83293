using System.Net;

namespace Fairlead.Dns.Messages;

/// <summary>Messages to and from the wire: RFC 1035 §4.1, RFC 2782, RFC 3596, RFC 3597, RFC 6891, RFC 9460.</summary>
internal static class DnsMessageCodec
{
    private const ushort FlagBits = 0x87b0;

    /// <summary>A record takes at least 11 octets, a question 5, so the counts of a header are believed only as far as octets follow.</summary>
    public static DnsMessage Read(ref DnsReader reader)
    {
        var id = reader.ReadUInt16();
        var bits = reader.ReadUInt16();
        var questionCount = reader.ReadUInt16();
        var answerCount = reader.ReadUInt16();
        var authorityCount = reader.ReadUInt16();
        var additionalCount = reader.ReadUInt16();
        var questions = new List<DnsQuestion>(Math.Min(questionCount, reader.Remaining / 5));
        for (var i = 0; i < questionCount; i++)
        {
            questions.Add(new DnsQuestion(reader.ReadName(), (DnsType)reader.ReadUInt16(), (DnsClass)reader.ReadUInt16()));
        }

        var code = bits & 0xf;
        DnsEdns? none = null, edns = null;
        int noCode = 0;
        var answers = ReadRecords(ref reader, answerCount, inAdditional: false, ref none, ref noCode);
        var authorities = ReadRecords(ref reader, authorityCount, inAdditional: false, ref none, ref noCode);
        var additionals = ReadRecords(ref reader, additionalCount, inAdditional: true, ref edns, ref code);
        return new DnsMessage
        {
            Id = id,
            Flags = (DnsFlags)(bits & FlagBits),
            Opcode = (byte)(bits >> 11 & 0xf),
            ResponseCode = (DnsResponseCode)code,
            Questions = questions,
            Answers = answers,
            Authorities = authorities,
            Additionals = additionals,
            Edns = edns,
        };
    }

    public static void Write(ref DnsWriter writer, DnsMessage message)
    {
        if (message.Opcode > 15 || (int)message.ResponseCode > (message.Edns is null ? 15 : 4095))
        {
            throw new ArgumentException($"Opcode {message.Opcode} or response code {message.ResponseCode} doesn't fit the message.");
        }

        writer.WriteUInt16(message.Id);
        writer.WriteUInt16((ushort)((ushort)message.Flags & FlagBits | message.Opcode << 11 | (int)message.ResponseCode & 0xf));
        writer.WriteUInt16(checked((ushort)message.Questions.Count));
        writer.WriteUInt16(checked((ushort)message.Answers.Count));
        writer.WriteUInt16(checked((ushort)message.Authorities.Count));
        writer.WriteUInt16(checked((ushort)(message.Additionals.Count + (message.Edns is null ? 0 : 1))));
        foreach (var question in message.Questions)
        {
            writer.WriteName(question.Name, compress: true);
            writer.WriteUInt16((ushort)question.Type);
            writer.WriteUInt16((ushort)question.Class);
        }

        foreach (var record in message.Answers.Concat(message.Authorities).Concat(message.Additionals))
        {
            WriteRecord(ref writer, record);
            if (writer.Overflowed)
            {
                return;
            }
        }

        if (message.Edns is { } edns)
        {
            writer.WriteByte(0);
            writer.WriteUInt16((ushort)DnsType.Opt);
            writer.WriteUInt16(edns.UdpPayload);
            writer.WriteUInt32((uint)message.ResponseCode >> 4 << 24 | (uint)edns.Version << 16 | (edns.DnssecOk ? 0x8000u : 0));
            var length = writer.BeginLength();
            writer.WriteBytes(edns.Options.Span);
            writer.EndLength(length);
        }
    }

    private static List<DnsRecord> ReadRecords(ref DnsReader reader, int count, bool inAdditional, ref DnsEdns? edns, ref int code)
    {
        var records = new List<DnsRecord>(Math.Min(count, reader.Remaining / 11));
        for (var i = 0; i < count; i++)
        {
            var name = reader.ReadName();
            var type = (DnsType)reader.ReadUInt16();
            var @class = reader.ReadUInt16();
            var timeToLive = reader.ReadUInt32();
            var length = reader.ReadUInt16();
            if (type == DnsType.Opt)
            {
                if (!inAdditional || !name.IsRoot || edns is not null)
                {
                    DnsFormatException.Throw("misplaced or doubled OPT record");
                }

                edns = new DnsEdns(@class, (byte)(timeToLive >> 16), (timeToLive & 0x8000) != 0, reader.ReadBytes(length));
                code |= (int)(timeToLive >> 24) << 4;
                continue;
            }

            var data = ReadData(ref reader, type, length);
            records.Add(new DnsRecord(name, type, timeToLive > int.MaxValue ? 0 : timeToLive, data, (DnsClass)@class));
        }

        return records;
    }

    private static DnsData ReadData(ref DnsReader reader, DnsType type, int length)
    {
        var outer = reader.Enter(length);
        DnsData data = type switch
        {
            _ when length == 0 && type is not DnsType.Txt => new OpaqueData(ReadOnlyMemory<byte>.Empty),
            DnsType.A => new AddressData(new IPAddress(reader.ReadBytes(4))),
            DnsType.Aaaa => new AddressData(new IPAddress(reader.ReadBytes(16))),
            DnsType.CName or DnsType.NS or DnsType.Ptr => new NameData(reader.ReadName()),
            DnsType.MX => new MailExchangeData(reader.ReadUInt16(), reader.ReadName()),
            DnsType.Srv => new ServiceData(reader.ReadUInt16(), reader.ReadUInt16(), reader.ReadUInt16(), reader.ReadName()),
            DnsType.Soa => new AuthorityData(
                reader.ReadName(), reader.ReadName(), reader.ReadUInt32(), reader.ReadUInt32(), reader.ReadUInt32(), reader.ReadUInt32(), reader.ReadUInt32()),
            DnsType.Txt => ReadText(ref reader),
            DnsType.Svcb or DnsType.Https => ReadServiceBinding(ref reader),
            _ => new OpaqueData(reader.ReadBytes(length)),
        };
        reader.Leave(outer);
        return data;
    }

    private static TextData ReadText(ref DnsReader reader)
    {
        var strings = new List<ReadOnlyMemory<byte>>(1);
        do
        {
            strings.Add(reader.ReadBytes(reader.ReadByte()));
        }
        while (reader.Remaining > 0);
        return new TextData(strings);
    }

    private static ServiceBindingData ReadServiceBinding(ref DnsReader reader)
    {
        var priority = reader.ReadUInt16();
        var target = reader.ReadName();
        var parameters = new List<KeyValuePair<ushort, ReadOnlyMemory<byte>>>();
        var last = -1;
        while (reader.Remaining > 0)
        {
            var key = reader.ReadUInt16();
            if (key <= last)
            {
                DnsFormatException.Throw("service parameters are out of order");
            }

            last = key;
            parameters.Add(new(key, reader.ReadBytes(reader.ReadUInt16())));
        }

        return new ServiceBindingData(priority, target, parameters);
    }

    private static void WriteRecord(ref DnsWriter writer, DnsRecord record)
    {
        writer.WriteName(record.Name, compress: true);
        writer.WriteUInt16((ushort)record.Type);
        writer.WriteUInt16((ushort)record.Class);
        writer.WriteUInt32(record.TimeToLive);
        var length = writer.BeginLength();
        switch (record.Type, record.Data)
        {
            case (DnsType.A or DnsType.Aaaa, AddressData address) when address.Type == record.Type:
                writer.WriteBytes(address.Value.GetAddressBytes());
                break;
            case (DnsType.CName or DnsType.NS or DnsType.Ptr, NameData name):
                writer.WriteName(name.Value, compress: true);
                break;
            case (DnsType.MX, MailExchangeData mail):
                writer.WriteUInt16(mail.Preference);
                writer.WriteName(mail.Exchange, compress: true);
                break;
            case (DnsType.Srv, ServiceData service):
                writer.WriteUInt16(service.Priority);
                writer.WriteUInt16(service.Weight);
                writer.WriteUInt16(service.Port);
                writer.WriteName(service.Target, compress: false); // RFC 2782: never compressed
                break;
            case (DnsType.Soa, AuthorityData authority):
                writer.WriteName(authority.PrimaryServer, compress: true);
                writer.WriteName(authority.Mailbox, compress: true);
                writer.WriteUInt32(authority.Serial);
                writer.WriteUInt32(authority.Refresh);
                writer.WriteUInt32(authority.Retry);
                writer.WriteUInt32(authority.Expire);
                writer.WriteUInt32(authority.Minimum);
                break;
            case (DnsType.Txt, TextData text) when text.Strings.Count > 0:
                foreach (var part in text.Strings)
                {
                    writer.WriteByte(part.Length <= 255 ? (byte)part.Length : throw new ArgumentException("A string of a TXT record is longer than 255 octets."));
                    writer.WriteBytes(part.Span);
                }

                break;
            case (DnsType.Svcb or DnsType.Https, ServiceBindingData binding):
                writer.WriteUInt16(binding.Priority);
                writer.WriteName(binding.Target, compress: false);
                foreach (var (key, value) in binding.Parameters)
                {
                    writer.WriteUInt16(key);
                    var valueLength = writer.BeginLength();
                    writer.WriteBytes(value.Span);
                    writer.EndLength(valueLength);
                }

                break;
            case (not DnsType.Opt, OpaqueData opaque):
                writer.WriteBytes(opaque.Value.Span);
                break;
            default:
                throw new ArgumentException($"{record.Data.GetType().Name} can't be the data of a record of type {record.Type}.");
        }

        writer.EndLength(length);
    }
}
