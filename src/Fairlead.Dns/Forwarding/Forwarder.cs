using System.Buffers.Binary;
using System.Net;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Forwarding;

public sealed record ForwarderOptions
{
    /// <summary>Of one query, all servers and attempts together: just under what <see cref="Server.DnsServerOptions.HandlerTimeout"/> gives the handler.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(4);

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Told the name, when a query of ours came back to us.</summary>
    public Action<DnsName>? OnLoop { get; init; }

    /// <summary>Told why, when no server gave an answer.</summary>
    public Action<DnsName, string>? OnFailure { get; init; }
}

/// <summary>
/// Hands queries on to other servers: answers that are known are not asked for again, equal questions at one time are asked once, and a query of ours
/// that comes back is recognised. Its memory is bounded by the cache and by whoever bounds the calls. Thread-safe. Disposing ends what is under way.
/// </summary>
public sealed class Forwarder : IAsyncDisposable
{
    private readonly ForwarderOptions options;
    private readonly Upstreams upstreams;
    private readonly AnswerCache cache;
    private readonly Lock gate = new();
    private readonly Dictionary<byte[], Task<DnsMessage?>> flights = new(OctetComparer.Instance);
    private readonly HashSet<byte[]> marks = new(OctetComparer.Instance);
    private readonly CancellationTokenSource stopping = new();

    /// <param name="ask">Null: <see cref="DnsClient"/>.</param>
    public Forwarder(ForwarderOptions? options = null, AskServer? ask = null)
    {
        this.options = options ?? new ForwarderOptions();
        var client = new DnsClient(new DnsClientOptions { Attempts = 1, Time = this.options.Time });
        upstreams = new Upstreams(ask ?? client.ExchangeAsync, this.options.Time);
        cache = new AnswerCache(this.options.Time);
    }

    /// <summary>Whom to ask, best first. Others may say other things: a change forgets all answers.</summary>
    public IReadOnlyList<IPEndPoint> Servers
    {
        get => upstreams.Servers;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (!upstreams.Servers.SequenceEqual(value))
            {
                upstreams.Servers = value;
                cache.Clear();
            }
        }
    }

    /// <summary>Answers that are kept.</summary>
    public int Cached => cache.Count;

    /// <summary>The answer to <paramref name="query"/>, which has one question: always one, SERVFAIL when there is none.</summary>
    /// <param name="forgetDenials">What doesn't exist may do so at the next moment: a denial is neither kept nor may the asker keep it.</param>
    public async ValueTask<DnsMessage> AnswerAsync(DnsMessage query, bool forgetDenials, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        var question = query.Questions[0];
        if (IsOurs(question))
        {
            options.OnLoop?.Invoke(question.Name);
            return query.Reply(DnsResponseCode.ServerFailure, flags: DnsFlags.RecursionAvailable);
        }

        var key = KeyOf(query, question);
        var answer = cache.Find(key) ?? await Join(key, query).WaitAsync(cancellationToken);
        return answer is null ? query.Reply(DnsResponseCode.ServerFailure, flags: DnsFlags.RecursionAvailable) : Reply(query, answer, forgetDenials);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        Task[] last;
        lock (gate)
        {
            last = [.. flights.Values];
        }

        await Task.WhenAll(last);
        stopping.Dispose();
    }

    private bool IsOurs(DnsQuestion question)
    {
        lock (gate)
        {
            return marks.Count > 0 && marks.Contains(MarkOf(question.Name, question));
        }
    }

    /// <summary>The exchange for this question that is under way, or a new one. Its task never fails: null stands for no answer.</summary>
    private Task<DnsMessage?> Join(byte[] key, DnsMessage query)
    {
        lock (gate)
        {
            if (!flights.TryGetValue(key, out var flight))
            {
                flight = FlyAsync(key, query);
                flights.Add(key, flight);
            }

            return flight;
        }
    }

    private async Task<DnsMessage?> FlyAsync(byte[] key, DnsMessage query)
    {
        // Registered by the caller, under the lock, before anything here can end it.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var question = query.Questions[0];
        var marked = CaseMark.Apply(question.Name);
        var mark = marked is null ? null : MarkOf(marked, question);
        using var deadline = new Deadline(options.Timeout, options.Time, stopping.Token);
        try
        {
            if (mark is not null)
            {
                lock (gate)
                {
                    marks.Add(mark);
                }
            }

            var answer = await upstreams.AskAsync(
                new DnsMessage
                {
                    Flags = DnsFlags.RecursionDesired | (query.Flags & (DnsFlags.CheckingDisabled | DnsFlags.AuthenticData)),
                    Questions = [question with { Name = marked ?? question.Name }],
                    Edns = new DnsEdns(DnsEdns.DefaultPayload, DnssecOk: query.Edns is { DnssecOk: true }),
                },
                deadline.Token);
            cache.Put(key, answer);
            return answer;
        }
        catch (Exception e) when (e is DnsExchangeException or OperationCanceledException)
        {
            if (!stopping.IsCancellationRequested)
            {
                options.OnFailure?.Invoke(question.Name, e is DnsExchangeException ? e.Message : $"no answer within {options.Timeout.TotalSeconds:0} s");
            }

            return null;
        }
        finally
        {
            lock (gate)
            {
                flights.Remove(key);
                if (mark is not null)
                {
                    marks.Remove(mark);
                }
            }
        }
    }

    /// <summary>The answer as this asker may have it: the name in the case in which it was asked, the flags and EDNS that it knows.</summary>
    private static DnsMessage Reply(DnsMessage query, DnsMessage answer, bool forgetDenials)
    {
        var question = query.Questions[0];
        var wantsProof = query.Edns is { DnssecOk: true } || query.Flags.HasFlag(DnsFlags.AuthenticData);
        var reply = query.Reply(
            query.Edns is null ? (DnsResponseCode)((int)answer.ResponseCode & 0xf) : answer.ResponseCode,
            AsAsked(answer.Answers, question.Name),
            DnsFlags.RecursionAvailable | (answer.Flags & (wantsProof ? DnsFlags.AuthenticData : DnsFlags.None)));
        var authorities = forgetDenials
            ? [.. answer.Authorities.Select(record => record.Data is AuthorityData ? record with { TimeToLive = 0 } : record)]
            : answer.Authorities;
        return reply with { Authorities = authorities, Additionals = answer.Additionals, Edns = reply.Edns is null ? null : reply.Edns with { DnssecOk = query.Edns!.DnssecOk } };
    }

    private static IReadOnlyList<DnsRecord> AsAsked(IReadOnlyList<DnsRecord> records, DnsName name) =>
        [.. records.Select(record => record.Name == name ? record with { Name = name } : record)];

    /// <summary>Questions with one key have one answer.</summary>
    private static byte[] KeyOf(DnsMessage query, DnsQuestion question)
    {
        var key = new byte[question.Name.Wire.Length + 5];
        var at = question.Name.CopyLower(key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(at), (ushort)question.Type);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(at + 2), (ushort)question.Class);
        key[at + 4] = (byte)((query.Edns is { DnssecOk: true } ? 1 : 0) | (query.Flags.HasFlag(DnsFlags.CheckingDisabled) ? 2 : 0));
        return key;
    }

    private static byte[] MarkOf(DnsName marked, DnsQuestion question)
    {
        var mark = new byte[marked.Wire.Length + 2];
        marked.Wire.CopyTo(mark);
        BinaryPrimitives.WriteUInt16BigEndian(mark.AsSpan(marked.Wire.Length), (ushort)question.Type);
        return mark;
    }
}
