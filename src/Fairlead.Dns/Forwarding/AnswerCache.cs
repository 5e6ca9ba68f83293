using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Forwarding;

/// <summary>
/// Answers of other servers, for as long as they may be kept (RFC 1035 §3.2.1; denials: RFC 2308 §5). Bounded in number and size; what was not
/// asked for longest goes first. Thread-safe.
/// </summary>
internal sealed class AnswerCache(TimeProvider time)
{
    internal const int MaxEntries = 8192;

    /// <summary>Of all answers as on the wire, octets; as objects they take some five times that.</summary>
    internal const int MaxOctets = 2 << 20;

    /// <summary>A longer answer is rare and would push out many.</summary>
    internal const int MaxAnswer = 16 << 10;

    /// <summary>Laptops move between networks that answer differently: nothing is believed for long, seconds.</summary>
    internal const uint LongestLife = 3600;

    /// <summary>Of a denial, seconds.</summary>
    internal const uint LongestDenial = 300;

    private readonly Lock gate = new();
    private readonly Dictionary<byte[], LinkedListNode<Entry>> entries = new(OctetComparer.Instance);
    private readonly LinkedList<Entry> byUse = new();
    private int octets;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return entries.Count;
            }
        }
    }

    /// <returns>The answer with what is left of its records' lives; null when there is none.</returns>
    public DnsMessage? Find(byte[] key)
    {
        Entry entry;
        lock (gate)
        {
            if (!entries.TryGetValue(key, out var node))
            {
                return null;
            }

            entry = node.Value;
            byUse.Remove(node);
            if (time.GetElapsedTime(entry.Since) >= TimeSpan.FromSeconds(entry.Life))
            {
                Forget(entry);
                return null;
            }

            byUse.AddLast(node);
        }

        var age = (uint)time.GetElapsedTime(entry.Since).TotalSeconds;
        return age == 0 ? entry.Answer : entry.Answer with
        {
            Answers = Aged(entry.Answer.Answers, age),
            Authorities = Aged(entry.Answer.Authorities, age),
            Additionals = Aged(entry.Answer.Additionals, age),
        };
    }

    public void Put(byte[] key, DnsMessage answer)
    {
        var life = LifeOf(answer);
        if (life == 0 || answer.IsTruncated || answer.ToArray().Length is var size && size > MaxAnswer)
        {
            return;
        }

        var entry = new Entry(key, answer, time.GetTimestamp(), life, size);
        lock (gate)
        {
            if (entries.TryGetValue(key, out var known))
            {
                byUse.Remove(known);
                Forget(known.Value);
            }

            entries.Add(key, byUse.AddLast(entry));
            octets += size;
            while (entries.Count > MaxEntries || octets > MaxOctets)
            {
                var oldest = byUse.First!.Value;
                byUse.RemoveFirst();
                Forget(oldest);
            }
        }
    }

    public void Clear()
    {
        lock (gate)
        {
            entries.Clear();
            byUse.Clear();
            octets = 0;
        }
    }

    /// <summary>Seconds; 0: it may not be kept.</summary>
    internal static uint LifeOf(DnsMessage answer)
    {
        if (answer.ResponseCode is not (DnsResponseCode.NoError or DnsResponseCode.NameError) || answer.Questions is not [var question])
        {
            return 0;
        }

        if (answer.ResponseCode == DnsResponseCode.NoError && answer.Answers.Any(record => record.Type == question.Type || question.Type == DnsType.Any))
        {
            return Math.Min(LongestLife, answer.Answers.Concat(answer.Authorities).Concat(answer.Additionals).Min(record => record.TimeToLive));
        }

        // A denial without an SOA record may not be kept (RFC 2308 §5). Where aliases lead to it, their lives count, too.
        var authority = answer.Authorities.FirstOrDefault(record => record.Data is AuthorityData);
        return authority?.Data is AuthorityData data
            ? Math.Min(LongestDenial, Math.Min(Math.Min(authority.TimeToLive, data.Minimum), answer.Answers.Select(record => record.TimeToLive).DefaultIfEmpty(uint.MaxValue).Min()))
            : 0;
    }

    private void Forget(Entry entry)
    {
        entries.Remove(entry.Key);
        octets -= entry.Size;
    }

    private static IReadOnlyList<DnsRecord> Aged(IReadOnlyList<DnsRecord> records, uint age) =>
        [.. records.Select(record => record with { TimeToLive = record.TimeToLive > age ? record.TimeToLive - age : 0 })];

    private sealed record Entry(byte[] Key, DnsMessage Answer, long Since, uint Life, int Size);
}
