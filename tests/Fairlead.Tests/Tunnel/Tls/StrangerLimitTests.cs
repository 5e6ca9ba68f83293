using System.Net;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tests.Tunnel.Tls;

public sealed class StrangerLimitTests
{
    private readonly List<string> ended = [];

    [Fact]
    public void Full_limit_ends_the_oldest_of_the_source_that_has_most()
    {
        var limit = new StrangerLimit(4);
        Enter(limit, "10.0.0.1", "member");
        Enter(limit, "10.0.0.9", "flood-1");
        Enter(limit, "10.0.0.9", "flood-2");
        Enter(limit, "10.0.0.9", "flood-3");

        Enter(limit, "10.0.0.9", "flood-4");
        Enter(limit, "10.0.0.2", "other");

        ended.ShouldBe(["flood-1", "flood-2"]);
    }

    [Fact]
    public void Place_that_was_left_counts_no_more()
    {
        var limit = new StrangerLimit(1);
        var place = Enter(limit, "10.0.0.1", "first");

        place.Dispose();
        place.Dispose();
        Enter(limit, "10.0.0.1", "second");

        ended.ShouldBeEmpty();
    }

    [Fact]
    public void Place_that_was_taken_away_may_be_left_still()
    {
        var limit = new StrangerLimit(1);
        var first = Enter(limit, "10.0.0.1", "first");
        Enter(limit, "10.0.0.1", "second");

        first.Dispose();
        Enter(limit, "10.0.0.1", "third");

        ended.ShouldBe(["first", "second"]);
    }

    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::ffff:10.0.0.9", "10.0.0.9", true)]
    [InlineData("10.0.0.8", "10.0.0.9", false)]
    public void Source_is_an_address_or_a_64(string one, string other, bool same)
    {
        var limit = new StrangerLimit(3);
        Enter(limit, "10.0.0.1", "a");
        Enter(limit, "10.0.0.1", "b");
        Enter(limit, one, "c");
        ended.ShouldBeEmpty();
        Enter(limit, other, "d");
        ended.ShouldBe(["a"]);

        // Of one source, "c" and "d" are most now; of two, "b" is the oldest of those that have one each.
        Enter(limit, "10.0.0.2", "e");
        ended[1].ShouldBe(same ? "c" : "b");
    }

    private StrangerLimit.Place Enter(StrangerLimit limit, string source, string name) => limit.Enter(new IPEndPoint(IPAddress.Parse(source), 1), () => ended.Add(name));
}
