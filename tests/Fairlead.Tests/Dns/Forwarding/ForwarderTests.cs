using System.Net;
using Fairlead.Dns.Client;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Forwarding;

public sealed class ForwarderTests
{
    private static readonly IPEndPoint First = new(IPAddress.Parse("192.0.2.1"), 53);
    private static readonly IPEndPoint Second = new(IPAddress.Parse("192.0.2.2"), 53);
    private static readonly DnsName Name = DnsName.Parse("www.example.com");
    private static readonly DnsMessage Query = DnsMessage.Query(1, Name, DnsType.A);
    private readonly ManualTime time = new();
    private readonly List<IPEndPoint> asked = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answer_is_kept_while_it_lives_and_its_life_runs_down()
    {
        await using var forwarder = Create((_, query, _) => Task.FromResult(Answer(query, 60)));
        (await forwarder.AnswerAsync(Query, false, Cancel)).Answers[0].TimeToLive.ShouldBe(60u);
        time.Advance(TimeSpan.FromSeconds(40));
        (await forwarder.AnswerAsync(Query, false, Cancel)).Answers[0].TimeToLive.ShouldBe(20u);
        asked.Count.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(20));
        await forwarder.AnswerAsync(Query, false, Cancel);
        asked.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Other_servers_may_say_other_things_so_all_answers_are_forgotten()
    {
        await using var forwarder = Create((_, query, _) => Task.FromResult(Answer(query, 60)));
        await forwarder.AnswerAsync(Query, false, Cancel);
        forwarder.Servers = [Second];
        await forwarder.AnswerAsync(Query, false, Cancel);
        asked.ShouldBe([First, Second]);
    }

    [Fact]
    public async Task Equal_questions_at_one_time_are_asked_once()
    {
        var answer = new TaskCompletionSource<DnsMessage>();
        await using var forwarder = Create((_, query, _) => answer.Task);
        var one = forwarder.AnswerAsync(Query, false, Cancel).AsTask();
        var other = forwarder.AnswerAsync(Query with { Id = 2, Questions = [new DnsQuestion(DnsName.Parse("WWW.Example.com"), DnsType.A)] }, false, Cancel).AsTask();
        answer.SetResult(Answer(Query, 60));
        ((await one).Id, (await other).Id, asked.Count).ShouldBe(((ushort)1, (ushort)2, 1));

        // Each in the case in which it was asked.
        (await other).Answers[0].Name.ToString().ShouldBe("WWW.Example.com");
        (await other).Questions[0].Name.ToString().ShouldBe("WWW.Example.com");
    }

    [Fact]
    public async Task Query_of_ours_that_comes_back_fails_at_once()
    {
        var loops = new List<DnsName>();
        var returned = new List<DnsMessage>();
        Forwarder? forwarder = null;
        forwarder = Create(async (_, query, token) =>
        {
            // A server that asks us what it is asked, and hands our answer on.
            returned.Add(await forwarder!.AnswerAsync(query, false, token));
            return returned[^1];
        }, loops.Add);
        await using (forwarder)
        {
            (await forwarder.AnswerAsync(Query, false, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
            returned.ShouldAllBe(answer => answer.ResponseCode == DnsResponseCode.ServerFailure);
            loops.ShouldAllBe(name => name == Name);
            loops.Count.ShouldBe(returned.Count);
        }
    }

    [Fact]
    public async Task Program_that_asks_the_same_meanwhile_is_not_taken_for_a_loop()
    {
        var answer = new TaskCompletionSource<DnsMessage>();
        var loops = new List<DnsName>();
        await using var forwarder = Create((_, _, _) => answer.Task, loops.Add);
        var all = Enumerable.Range(0, 100).Select(_ => forwarder.AnswerAsync(Query, false, Cancel).AsTask()).ToList();
        answer.SetResult(Answer(Query, 60));
        (await Task.WhenAll(all)).ShouldAllBe(reply => reply.ResponseCode == DnsResponseCode.NoError);
        loops.ShouldBeEmpty();
    }

    [Fact]
    public async Task No_answer_is_a_failure_and_is_not_kept()
    {
        var failures = new List<string>();
        await using var forwarder = new Forwarder(
            new ForwarderOptions { Time = time, OnFailure = (_, reason) => failures.Add(reason) },
            (_, _, _) => throw new DnsExchangeException("nobody there", null)) { Servers = [First] };
        (await forwarder.AnswerAsync(Query, false, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
        failures.ShouldBe(["nobody there"]);
        forwarder.Cached.ShouldBe(0);
        forwarder.Servers = [];
        (await forwarder.AnswerAsync(Query, false, Cancel)).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
    }

    [Fact]
    public async Task Proof_and_EDNS_go_only_to_those_who_know_them()
    {
        await using var forwarder = Create((_, query, _) => Task.FromResult(Answer(query, 60) with { Flags = DnsFlags.Response | DnsFlags.AuthenticData, Edns = new DnsEdns(1232) }));
        var plain = await forwarder.AnswerAsync(Query with { Edns = null }, false, Cancel);
        (plain.Edns, plain.Flags.HasFlag(DnsFlags.AuthenticData)).ShouldBe((null, false));
        var proven = await forwarder.AnswerAsync(Query with { Edns = new DnsEdns(1232, DnssecOk: true) }, false, Cancel);
        (proven.Edns!.DnssecOk, proven.Flags.HasFlag(DnsFlags.AuthenticData)).ShouldBe((true, true));
    }

    private Forwarder Create(AskServer ask, Action<DnsName>? onLoop = null) => new(
        new ForwarderOptions { Time = time, OnLoop = onLoop },
        (server, query, token) =>
        {
            asked.Add(server);
            return ask(server, query, token);
        })
    { Servers = [First] };

    private static DnsMessage Answer(DnsMessage query, uint life) => query.Reply(DnsResponseCode.NoError, [DnsRecord.Address(query.Questions[0].Name, life, IPAddress.Parse("198.51.100.1"))]);
}
