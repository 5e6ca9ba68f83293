using Fairlead.Contracts.Gateway;
using Fairlead.Daemon.Flows;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Tests.Daemon.Flows;

public sealed class FlowTroublesTests
{
    private static readonly FlowTarget Orders = new(TransportProtocol.Tcp, "orders.shop.svc", 80);
    private readonly ManualTime time = new();
    private readonly FlowTroubles troubles;

    public FlowTroublesTests() => troubles = new FlowTroubles(time);

    [Fact]
    public void Flows_without_an_answer_are_counted_by_target()
    {
        troubles.Refused(Orders, FlowFailure.TimedOut);
        troubles.Refused(Orders, FlowFailure.TimedOut);
        troubles.Refused(Orders, FlowFailure.Denied);
        troubles.Recent().ShouldBe([new FlowTrouble(Orders, Unopened: 2, Silent: 0)]);
    }

    [Theory]
    [InlineData(RelayEnd.Completed, FlowFailure.None, 1)]
    [InlineData(RelayEnd.FlowReset, FlowFailure.Reset, 1)]
    [InlineData(RelayEnd.FlowReset, FlowFailure.LinkDown, 0)]
    [InlineData(RelayEnd.SocketReset, FlowFailure.Reset, 0)]
    public void Flow_that_the_far_side_ends_without_a_byte_is_silent_one_that_the_link_or_the_application_ends_is_not(RelayEnd reason, FlowFailure failure, int silent)
    {
        troubles.Ended(Orders, new RelayEnding(reason, failure, BytesFromSocket: 80, BytesToSocket: 0, ""));
        troubles.Recent().Sum(t => t.Silent).ShouldBe(silent);
    }

    [Fact]
    public void Flow_on_which_nothing_was_sent_says_nothing()
    {
        troubles.Ended(Orders, new RelayEnding(RelayEnd.Completed, FlowFailure.None, 0, 0, ""));
        troubles.Recent().ShouldBeEmpty();
    }

    [Fact]
    public void Answer_makes_the_target_forgotten_and_so_does_time()
    {
        troubles.Refused(Orders, FlowFailure.TimedOut);
        troubles.Ended(Orders, new RelayEnding(RelayEnd.Completed, FlowFailure.None, 80, 200, ""));
        troubles.Recent().ShouldBeEmpty();

        troubles.Refused(Orders, FlowFailure.TimedOut);
        time.Advance(FlowTroubles.Window);
        troubles.Recent().ShouldBeEmpty();
    }

    [Fact]
    public void Number_of_targets_is_bounded_and_the_latest_stay()
    {
        for (var port = 1; port <= 200; port++)
        {
            time.Advance(TimeSpan.FromMilliseconds(1));
            troubles.Refused(Orders with { Port = port }, FlowFailure.TimedOut);
        }

        var recent = troubles.Recent();
        recent.Count.ShouldBe(64);
        recent[0].Target.Port.ShouldBe(200);
    }
}
