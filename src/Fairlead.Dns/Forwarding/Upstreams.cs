using System.Net;
using Fairlead.Dns.Client;
using Fairlead.Dns.Messages;

namespace Fairlead.Dns.Forwarding;

/// <summary>Asks one server once.</summary>
/// <exception cref="DnsExchangeException">No usable answer.</exception>
public delegate Task<DnsMessage> AskServer(IPEndPoint server, DnsMessage query, CancellationToken cancellationToken);

/// <summary>
/// Several servers that know the same: the one that did best is asked first, the next one joins when it fails or is slow, and the first usable
/// answer counts. Thread-safe.
/// </summary>
internal sealed class Upstreams(AskServer ask, TimeProvider time)
{
    /// <summary>How long one server is waited for alone: most answers of a living one come within it.</summary>
    internal static readonly TimeSpan HeadStart = TimeSpan.FromMilliseconds(400);

    /// <summary>A server that failed is asked last for so long.</summary>
    internal static readonly TimeSpan Penalty = TimeSpan.FromSeconds(10);

    /// <summary>Each server once, and once more: a datagram may be lost.</summary>
    private const int Rounds = 2;

    private readonly Lock gate = new();
    private readonly Dictionary<IPEndPoint, long> failures = [];
    private volatile IReadOnlyList<IPEndPoint> servers = [];

    public IReadOnlyList<IPEndPoint> Servers
    {
        get => servers;
        set
        {
            lock (gate)
            {
                servers = value;
                foreach (var gone in failures.Keys.Where(server => !value.Contains(server)).ToList())
                {
                    failures.Remove(gone);
                }
            }
        }
    }

    /// <returns>An answer, or the last refusal when every server refused or failed.</returns>
    /// <exception cref="DnsExchangeException">No server answered, or there is none.</exception>
    public async Task<DnsMessage> AskAsync(DnsMessage query, CancellationToken cancellationToken)
    {
        var order = InOrder();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var pending = new List<Task<DnsMessage>>();
        DnsMessage? refusal = null;
        DnsExchangeException? failure = null;
        try
        {
            for (var next = 0; ; )
            {
                if (next < order.Count * Rounds)
                {
                    pending.Add(AskAsync(order[next++ % order.Count], query, enough.Token));
                }
                else if (pending.Count == 0)
                {
                    return refusal ?? throw new DnsExchangeException(order.Count == 0 ? "There is no DNS server to ask." : failure?.Message ?? "No DNS server answered.", failure);
                }

                while (pending.Count > 0 && await FirstOfAsync(pending, next < order.Count * Rounds, enough.Token) is { } done)
                {
                    pending.Remove(done);
                    try
                    {
                        var answer = await done;
                        if (answer.ResponseCode is DnsResponseCode.NoError or DnsResponseCode.NameError)
                        {
                            return answer;
                        }

                        refusal = answer;
                    }
                    catch (DnsExchangeException e)
                    {
                        failure = e;
                    }

                    if (next < order.Count * Rounds)
                    {
                        break;
                    }
                }
            }
        }
        finally
        {
            await enough.CancelAsync();
            await Task.WhenAll((IEnumerable<Task>)pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The first task that ends; null when another server shall join.</summary>
    private async Task<Task<DnsMessage>?> FirstOfAsync(List<Task<DnsMessage>> pending, bool hasMore, CancellationToken cancellationToken)
    {
        if (!hasMore)
        {
            return await Task.WhenAny(pending).WaitAsync(cancellationToken);
        }

        try
        {
            return await Task.WhenAny(pending).WaitAsync(HeadStart, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    private async Task<DnsMessage> AskAsync(IPEndPoint server, DnsMessage query, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await ask(server, query, cancellationToken);
            if (answer is { ResponseCode: DnsResponseCode.FormatError or DnsResponseCode.NotImplemented, Edns: null } && query.Edns is not null)
            {
                // A server from before EDNS (RFC 6891 §7).
                answer = await ask(server, query with { Edns = null }, cancellationToken);
            }

            Note(server, answer.ResponseCode is not (DnsResponseCode.NoError or DnsResponseCode.NameError));
            return answer;
        }
        catch (DnsExchangeException)
        {
            Note(server, failed: true);
            throw;
        }
    }

    private void Note(IPEndPoint server, bool failed)
    {
        lock (gate)
        {
            if (!failed)
            {
                failures.Remove(server);
            }
            else if (servers.Contains(server))
            {
                failures[server] = time.GetTimestamp();
            }
        }
    }

    private IReadOnlyList<IPEndPoint> InOrder()
    {
        lock (gate)
        {
            return failures.Count == 0 ? servers : [.. servers.OrderBy(server => failures.TryGetValue(server, out var at) && time.GetElapsedTime(at) < Penalty ? 1 : 0)];
        }
    }
}
