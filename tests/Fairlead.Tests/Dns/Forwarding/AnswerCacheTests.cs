using System.Globalization;
using System.Net;
using Fairlead.Dns.Forwarding;
using Fairlead.Dns.Messages;

namespace Fairlead.Tests.Dns.Forwarding;

public sealed class AnswerCacheTests
{
    private static readonly DnsName Name = DnsName.Parse("www.example.com");
    private readonly ManualTime time = new();

    [Fact]
    public void Life_is_that_of_the_shortest_record()
    {
        AnswerCache.LifeOf(Answer(60, 20)).ShouldBe(20u);
        AnswerCache.LifeOf(Answer(0)).ShouldBe(0u);
        AnswerCache.LifeOf(Answer(uint.MaxValue >> 1)).ShouldBe(AnswerCache.LongestLife);
    }

    /// <summary>RFC 2308 §5.</summary>
    [Theory]
    [InlineData(60, 30, 30)]
    [InlineData(30, 60, 30)]
    [InlineData(86400, 86400, 300)]
    public void Life_of_a_denial_is_that_of_its_authority(uint life, uint minimum, uint expected)
    {
        var authority = new DnsRecord(DnsName.Parse("example.com"), DnsType.Soa, life, new AuthorityData(Name, Name, 1, 2, 3, 4, minimum));
        var query = DnsMessage.Query(1, Name, DnsType.A);
        AnswerCache.LifeOf(query.Reply(DnsResponseCode.NameError) with { Authorities = [authority] }).ShouldBe(expected);
        AnswerCache.LifeOf(query.Reply(DnsResponseCode.NoError) with { Authorities = [authority] }).ShouldBe(expected);
        AnswerCache.LifeOf(query.Reply(DnsResponseCode.NameError)).ShouldBe(0u);
        AnswerCache.LifeOf(query.Reply(DnsResponseCode.ServerFailure) with { Authorities = [authority] }).ShouldBe(0u);
    }

    [Fact]
    public void Number_is_bounded_and_what_was_used_least_goes()
    {
        var cache = new AnswerCache(time);
        cache.Put(Key(0), Answer(60));
        for (var i = 1; i < AnswerCache.MaxEntries; i++)
        {
            cache.Put(Key(i), Answer(60));
        }

        cache.Find(Key(0)).ShouldNotBeNull();
        cache.Put(Key(AnswerCache.MaxEntries), Answer(60));
        cache.Count.ShouldBe(AnswerCache.MaxEntries);
        cache.Find(Key(0)).ShouldNotBeNull();
        cache.Find(Key(1)).ShouldBeNull();
    }

    [Fact]
    public void Size_is_bounded()
    {
        var cache = new AnswerCache(time);
        var large = Answer([.. Enumerable.Repeat(60u, 900)]);
        var size = large.ToArray().Length;
        for (var i = 0; i < 2 * AnswerCache.MaxOctets / size; i++)
        {
            cache.Put(Key(i), large);
        }

        cache.Count.ShouldBe(AnswerCache.MaxOctets / size);
        cache.Put(Key(1_000_000), Answer([.. Enumerable.Repeat(60u, 1100)]));
        cache.Find(Key(1_000_000)).ShouldBeNull();
        cache.Clear();
        cache.Count.ShouldBe(0);
    }

    [Fact]
    public void Newer_answer_takes_the_place_of_the_older_one()
    {
        var cache = new AnswerCache(time);
        cache.Put(Key(1), Answer(60));
        cache.Put(Key(1), Answer(60, 60));
        cache.Find(Key(1))!.Answers.Count.ShouldBe(2);
        cache.Count.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(60));
        cache.Find(Key(1)).ShouldBeNull();
        cache.Count.ShouldBe(0);
    }

    private static byte[] Key(int number) => System.Text.Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));

    private static DnsMessage Answer(params uint[] lives) => DnsMessage.Query(1, Name, DnsType.A)
        .Reply(DnsResponseCode.NoError, [.. lives.Select((life, i) => DnsRecord.Address(Name, life, new IPAddress(i + 1)))]);
}
