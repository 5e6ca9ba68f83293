using System.Net;
using Fairlead.Dns;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;
using Fairlead.Dns.Server;
using Fairlead.Dns.Zones;

namespace Fairlead.Tests.Dns.Zones;

public sealed class QuickAnswerTests
{
    private static readonly DnsName Name = DnsName.Parse("frontend.shop");
    private readonly FakeClusterDns cluster = new();
    private readonly Zone zone;

    public QuickAnswerTests() => zone = new Zone(
        [
            new ZoneName(Name, [IPAddress.Parse("127.72.0.9")]) { Cluster = cluster },
            new ZoneName(DnsName.Parse("both.shop"), [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2"), IPAddress.Parse("fd00::1")]) { Cluster = cluster },
            new ZoneName(DnsName.Parse("many.shop"), [.. Enumerable.Range(1, 100).Select(i => new IPAddress(i))]) { Cluster = cluster },
            new ZoneName(DnsName.Parse("alias.shop"), []) { Alias = Name, Cluster = cluster },
        ],
        []);

    [Theory]
    [InlineData("frontend.shop", DnsType.A)]
    [InlineData("FrontEnd.Shop", DnsType.A)]
    [InlineData("frontend.shop", DnsType.Aaaa)]
    [InlineData("both.shop", DnsType.A)]
    [InlineData("both.shop", DnsType.Aaaa)]
    public async Task Answers_are_those_of_the_handler(string name, DnsType type)
    {
        await using var forwarder = new Forwarder(ask: (_, _, _) => throw new InvalidOperationException("nobody is asked"));
        var handler = new SplitHandler(() => zone, forwarder);
        foreach (var edns in new[] { null, new DnsEdns(1232), new DnsEdns(4096, DnssecOk: true, Options: new byte[] { 0, 10, 0, 2, 1, 2 }) })
        {
            var query = DnsMessage.Query(7, DnsName.Parse(name), type) with { Edns = edns };
            var quick = DnsMessage.Parse(Quick(query.ToArray()));
            var slow = await handler.HandleAsync(new DnsQuery(query, query.ToArray(), new IPEndPoint(IPAddress.Loopback, 1), false), TestContext.Current.CancellationToken);
            (quick with { Edns = null, Questions = [], Answers = [], Authorities = [], Additionals = [] }).ShouldBe(slow.Message! with { Edns = null, Questions = [], Answers = [], Authorities = [], Additionals = [] });
            quick.Answers.ShouldBe(slow.Message!.Answers);
            quick.Edns.ShouldBe(edns is null ? null : new DnsEdns(DnsEdns.DefaultPayload, DnssecOk: edns.DnssecOk));
            quick.Questions[0].Name.Wire.SequenceEqual(query.Questions[0].Name.Wire).ShouldBeTrue();
        }
    }

    [Fact]
    public void Cluster_out_of_reach_fails_and_never_denies()
    {
        cluster.IsUp = false;
        DnsMessage.Parse(Quick(DnsMessage.Query(1, Name, DnsType.A).ToArray())).ResponseCode.ShouldBe(DnsResponseCode.ServerFailure);
    }

    [Fact]
    public void What_is_out_of_the_ordinary_is_left_to_the_handler()
    {
        var plain = DnsMessage.Query(1, Name, DnsType.A);
        Quick(plain.ToArray()).ShouldNotBeEmpty();
        DnsMessage[] others =
        [
            plain with { Questions = [new DnsQuestion(DnsName.Parse("missing.shop"), DnsType.A)] },
            plain with { Questions = [new DnsQuestion(DnsName.Parse("alias.shop"), DnsType.A)] },
            plain with { Questions = [new DnsQuestion(Name, DnsType.Txt)] },
            plain with { Questions = [new DnsQuestion(Name, DnsType.A, DnsClass.Any)] },
            plain with { Questions = [plain.Questions[0], plain.Questions[0]] },
            plain with { Opcode = 4 },
            plain with { Edns = new DnsEdns(1232, Version: 1) },
            plain with { Answers = [DnsRecord.Address(Name, 1, IPAddress.Loopback)] },
            plain with { Additionals = [DnsRecord.Address(Name, 1, IPAddress.Loopback)] },
            plain with { Flags = DnsFlags.Truncated },
            DnsMessage.Query(1, DnsName.Parse("many.shop"), DnsType.A) with { Edns = null },
        ];
        others.ShouldAllBe(query => Quick(query.ToArray()).Length == 0);
        Quick([.. plain.ToArray(), 0]).ShouldBeEmpty();
    }

    [Fact]
    public void Any_cut_or_changed_query_is_answered_rightly_or_left_to_the_handler()
    {
        var random = new Random(4711);
        var original = DnsMessage.Query(1, DnsName.Parse("both.shop"), DnsType.A).ToArray();
        for (var i = 0; i < 20_000; i++)
        {
            var octets = original[..random.Next(original.Length + 1)];
            for (var change = random.Next(4); change > 0 && octets.Length > 0; change--)
            {
                octets[random.Next(octets.Length)] = (byte)random.Next(256);
            }

            var answer = Quick(octets);
            if (answer.Length > 0)
            {
                // Whatever it answers is a message that answers that very question.
                var (query, reply) = (DnsMessage.Parse(octets), DnsMessage.Parse(answer));
                reply.Id.ShouldBe(query.Id);
                reply.Questions.ShouldBe(query.Questions);
            }
        }
    }

    [Fact]
    public void Answering_allocates_nothing()
    {
        var query = DnsMessage.Query(1, DnsName.Parse("both.shop"), DnsType.A).ToArray();
        var answer = new byte[DnsEdns.DefaultPayload];
        QuickAnswer.Write(zone, query, answer, 512, answer.Length).ShouldBeGreaterThan(0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            QuickAnswer.Write(zone, query, answer, 512, answer.Length);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    private byte[] Quick(byte[] query)
    {
        var answer = new byte[DnsEdns.DefaultPayload];
        return answer[..QuickAnswer.Write(zone, query, answer, 512, answer.Length)];
    }
}
