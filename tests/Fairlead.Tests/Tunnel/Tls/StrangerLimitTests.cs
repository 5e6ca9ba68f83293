using System.Net;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel.Tls;

public sealed class StrangerLimitTests
{
    private readonly ManualTime time = new();
    private readonly List<string> ended = [];

    [Fact]
    public void Newcomer_takes_a_place_of_the_source_that_has_most()
    {
        var limit = Limit(4);
        Enter(limit, "10.0.0.1", "member");
        Enter(limit, "10.0.0.9", "flood-1");
        Enter(limit, "10.0.0.9", "flood-2");
        Enter(limit, "10.0.0.9", "flood-3");

        Enter(limit, "10.0.0.2", "other").ShouldNotBeNull();

        ended.ShouldHaveSingleItem().ShouldStartWith("flood");
    }

    [Fact]
    public void Newcomer_of_the_source_that_has_most_is_turned_away_while_those_before_it_are_young()
    {
        var limit = Limit(3);
        Enter(limit, "10.0.0.9", "first");
        Enter(limit, "10.0.0.9", "second");
        Enter(limit, "10.0.0.9", "third");

        for (var i = 0; i < 100; i++)
        {
            Enter(limit, "10.0.0.9", "late").ShouldBeNull();
        }

        ended.ShouldBeEmpty();
    }

    [Fact]
    public void Places_that_had_their_time_go_to_newcomers_of_the_same_source()
    {
        var limit = Limit(2);
        Enter(limit, "10.0.0.9", "stuck-1");
        Enter(limit, "10.0.0.9", "stuck-2");
        time.Advance(StrangerLimit.Patience);

        Enter(limit, "10.0.0.9", "new-1").ShouldNotBeNull();

        // A newcomer meets one by chance: it may be the young one, but not always.
        while (Enter(limit, "10.0.0.9", "new-2") is null)
        {
        }

        ended.Order().ShouldBe(["stuck-1", "stuck-2"]);
    }

    [Fact]
    public void Crowd_that_is_slow_and_comes_without_end_is_not_kept_from_being_through()
    {
        // Each needs twice the patience, and four newcomers come in the time of one place: with the oldest always ended nobody would be through.
        const int places = 64;
        var limit = Limit(places);
        var (begun, through) = (new Queue<(StrangerLimit.Place Place, TimeSpan Until, string Name)>(), 0);
        var now = TimeSpan.Zero;
        var step = StrangerLimit.Patience * 2 / (4 * places);
        for (var i = 0; i < 40 * places; i++)
        {
            if (Enter(limit, "10.0.0.9", $"{i}") is { } place)
            {
                begun.Enqueue((place, now + (StrangerLimit.Patience * 2), $"{i}"));
            }

            time.Advance(step);
            now += step;
            while (begun.TryPeek(out var first) && first.Until <= now)
            {
                begun.Dequeue().Place.Dispose();
                through += ended.Contains(first.Name) ? 0 : 1;
            }
        }

        // Ten times over the places could be used at best.
        through.ShouldBeGreaterThan(places);
    }

    [Fact]
    public void Place_that_was_left_counts_no_more()
    {
        var limit = Limit(1);
        var place = Enter(limit, "10.0.0.1", "first").ShouldNotBeNull();

        place.Dispose();
        place.Dispose();

        Enter(limit, "10.0.0.1", "second").ShouldNotBeNull();
        ended.ShouldBeEmpty();
    }

    [Fact]
    public void Place_that_was_taken_away_may_be_left_still()
    {
        var limit = Limit(1);
        var first = Enter(limit, "10.0.0.1", "first").ShouldNotBeNull();
        time.Advance(StrangerLimit.Patience);
        Enter(limit, "10.0.0.1", "second").ShouldNotBeNull();

        first.Dispose();

        Enter(limit, "10.0.0.1", "third").ShouldBeNull();
        ended.ShouldBe(["first"]);
    }

    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::ffff:10.0.0.9", "10.0.0.9", true)]
    [InlineData("10.0.0.8", "10.0.0.9", false)]
    public void Source_is_an_address_or_a_64(string one, string other, bool same)
    {
        var limit = Limit(2);
        Enter(limit, one, "a");
        Enter(limit, one, "b");

        // Of the same source it would have to wait; another one's has fewer.
        (Enter(limit, other, "c") is null).ShouldBe(same);
    }

    private StrangerLimit Limit(int places) => new(places, time, new Random(7));

    private StrangerLimit.Place? Enter(StrangerLimit limit, string source, string name) =>
        limit.TryEnter(new IPEndPoint(IPAddress.Parse(source), 1), () => ended.Add(name), out var place) ? place : null;
}
