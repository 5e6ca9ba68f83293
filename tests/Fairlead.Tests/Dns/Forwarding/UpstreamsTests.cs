using System.Net;
using Fairlead.Dns.Client;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Forwarding;

public sealed class UpstreamsTests
{
    private static readonly IPEndPoint First = new(IPAddress.Parse("192.0.2.1"), 53);
    private static readonly IPEndPoint Second = new(IPAddress.Parse("192.0.2.2"), 53);
    private static readonly DnsMessage Query = DnsMessage.Query(1, DnsName.Parse("www.example.com"), DnsType.A);
    private readonly ManualTime time = new();
    private readonly List<IPEndPoint> asked = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Second_server_joins_when_the_first_is_slow_and_the_first_answer_counts()
    {
        var slow = new TaskCompletionSource<DnsMessage>();
        var upstreams = Create((server, query, token) => server.Equals(First) ? slow.Task.WaitAsync(token) : Task.FromResult(query.Reply(DnsResponseCode.NoError)));
        var answer = upstreams.AskAsync(Query, Cancel);
        answer.IsCompleted.ShouldBeFalse();
        time.Advance(Upstreams.HeadStart);
        (await answer).ResponseCode.ShouldBe(DnsResponseCode.NoError);
        asked.ShouldBe([First, Second]);
    }

    [Theory]
    [InlineData(DnsResponseCode.ServerFailure)]
    [InlineData(DnsResponseCode.Refused)]
    public async Task Refusal_leads_to_the_next_server_at_once_and_it_is_asked_first_from_then_on(DnsResponseCode code)
    {
        var upstreams = Create((server, query, _) => Task.FromResult(query.Reply(server.Equals(First) ? code : DnsResponseCode.NameError)));
        (await upstreams.AskAsync(Query, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.NameError);
        await upstreams.AskAsync(Query, Cancel);
        asked.ShouldBe([First, Second, Second]);
        time.Advance(Upstreams.Penalty);
        await upstreams.AskAsync(Query, Cancel);
        asked[3].ShouldBe(First);
    }

    [Fact]
    public async Task Every_server_refusing_gives_the_refusal()
    {
        var upstreams = Create((_, query, _) => Task.FromResult(query.Reply(DnsResponseCode.Refused)));
        (await upstreams.AskAsync(Query, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.Refused);
        asked.ShouldBe([First, Second, First, Second]);
    }

    [Fact]
    public async Task Every_server_failing_is_told()
    {
        var upstreams = Create((server, _, _) => throw new DnsExchangeException($"{server} is gone", null));
        (await Should.ThrowAsync<DnsExchangeException>(upstreams.AskAsync(Query, Cancel))).Message.ShouldBe($"{Second} is gone");
        upstreams.Servers = [];
        (await Should.ThrowAsync<DnsExchangeException>(upstreams.AskAsync(Query, Cancel))).Message.ShouldBe("There is no DNS server to ask.");
    }

    [Fact]
    public async Task Server_from_before_EDNS_is_asked_without_it()
    {
        var seen = new List<bool>();
        var upstreams = Create((_, query, _) =>
        {
            seen.Add(query.Edns is not null);
            return Task.FromResult(query.Edns is null ? query.Reply(DnsResponseCode.NoError) : query.Reply(DnsResponseCode.FormatError) with { Edns = null });
        });
        (await upstreams.AskAsync(Query, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.NoError);
        seen.ShouldBe([true, false]);
    }

    private Upstreams Create(AskServer ask) => new(
        (server, query, token) =>
        {
            lock (asked)
            {
                asked.Add(server);
            }

            return ask(server, query, token);
        },
        time)
    { Servers = [First, Second] };
}
