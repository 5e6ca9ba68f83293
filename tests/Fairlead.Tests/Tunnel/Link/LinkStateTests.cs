using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

/// <summary>The link's decisions, with carriers that the test plays and a clock that it moves.</summary>
public sealed class LinkStateTests : IAsyncLifetime
{
    private static readonly FlowTarget Target = new(TransportProtocol.Tcp, "a.b.svc", 1);
    private static readonly GatewayEndpoint First = new("first", 1, 2);
    private static readonly GatewayEndpoint Second = new("second", 1, 2);

    private readonly ManualTime _time = new();
    private readonly TestSpace _space = new();
    private readonly Dictionary<string, FakeCarrier> _carriers = [];
    private readonly List<LinkState> _states = [];
    private TunnelLink _link = null!;

    public ValueTask InitializeAsync()
    {
        _link = NewLink(TimeSpan.FromSeconds(5));
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Pong;
        }

        await _link.DisposeAsync();
        _space.Dispose();
    }

    [Fact]
    public async Task Every_direct_way_is_tried_before_any_dear_one()
    {
        _carriers["direct first"].Answer = Answer.Refused;
        _carriers["direct second"].Answer = Answer.Broken;
        _link.Start();
        await _link.WaitUntilConnectedAsync(Soon);
        _link.Status.Gateway.ShouldBe("websocket first");
        _carriers["direct second"].Pings.ShouldBe(1);
    }

    [Fact]
    public async Task Silence_of_two_seconds_takes_the_link_down_and_an_answer_brings_it_up_again()
    {
        await ConnectAsync();
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Silence;
        }

        var lost = _time.GetUtcNow();
        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Disconnected);
        (_time.GetUtcNow() - lost).ShouldBeInRange(TimeSpan.FromSeconds(1.4), TimeSpan.FromSeconds(2.1));
        _link.Status.Problem!.Code.ShouldBe("gateway-timeout");
        _carriers["direct first"].Left.ShouldAllBe(lost => lost);
        _carriers["direct first"].Left.ShouldNotBeEmpty();

        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Connected);
        _link.Status.Gateway.ShouldBe("direct second");
        _states.ShouldBe([LinkState.Connected, LinkState.Disconnected, LinkState.Connected]);
    }

    [Fact]
    public async Task One_broken_ping_connection_is_redialled_without_a_change_of_state()
    {
        await ConnectAsync();
        var carrier = _carriers["direct first"];
        carrier.Next.Enqueue(Answer.Broken);
        var pings = carrier.Pings;
        await AdvanceUntilAsync(() => carrier.Pings > pings + 3);
        _states.ShouldBe([LinkState.Connected]);
    }

    [Fact]
    public async Task Ping_connections_that_keep_breaking_take_the_link_down()
    {
        await ConnectAsync();
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Broken;
        }

        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Disconnected);
        _link.Status.Problem!.Code.ShouldBe("gateway-unreachable");
    }

    [Fact]
    public async Task Dear_carrier_gives_way_to_a_direct_one_that_came_up_later()
    {
        _carriers["direct first"].Answer = Answer.Broken;
        _carriers["direct second"].Answer = Answer.Broken;
        await ConnectAsync();
        _link.Status.Carrier.ShouldBe("websocket");

        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.Carrier == "direct");
        _link.Status.Gateway.ShouldBe("direct second");
        _states.ShouldAllBe(s => s == LinkState.Connected);
    }

    [Fact]
    public async Task Silent_way_does_not_keep_the_next_one_from_being_looked_at()
    {
        await _link.DisposeAsync();
        _link = NewLink(TimeSpan.FromHours(1));
        _carriers["direct first"].Answer = Answer.Broken;
        _carriers["direct second"].Answer = Answer.Broken;
        await ConnectAsync();
        _link.Status.Carrier.ShouldBe("websocket");

        _carriers["direct first"].Answer = Answer.Silence;
        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.Gateway == "direct second");
    }

    [Fact]
    public async Task Carrier_that_gave_way_to_a_better_one_is_left_but_not_lost()
    {
        _carriers["direct first"].Answer = Answer.Broken;
        _carriers["direct second"].Answer = Answer.Broken;
        await ConnectAsync();
        var dear = _carriers[_link.Status.Gateway!];
        dear.Left.ShouldBeEmpty();

        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => !dear.Left.IsEmpty);
        _link.Status.Carrier.ShouldBe("direct");
        dear.Left.ShouldBe([false]);
    }

    [Fact]
    public async Task Carriers_that_lost_the_race_are_left()
    {
        _carriers["direct first"].Answer = Answer.Silence;
        _carriers["direct second"].Answer = Answer.Silence;
        _link.Start();
        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Connected);
        _link.Status.Gateway.ShouldBe("websocket first");
        _carriers["direct first"].Left.ShouldContain(false);
        _carriers["direct second"].Left.ShouldContain(false);
        _carriers["websocket first"].Left.ShouldBeEmpty();
    }

    [Fact]
    public async Task Open_that_was_not_answered_by_the_carrier_that_was_left_is_asked_of_the_one_in_use()
    {
        _carriers["direct first"].Answer = Answer.Broken;
        _carriers["direct second"].Answer = Answer.Broken;
        await ConnectAsync();
        var dear = _carriers[_link.Status.Gateway!];
        dear.Hold = new TaskCompletionSource();
        var opening = _link.OpenAsync(Target, null, Soon).AsTask();

        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.Carrier == "direct");
        opening.IsCompleted.ShouldBeFalse();
        dear.Hold.SetResult();
        await AdvanceUntilAsync(() => opening.IsCompleted);
        (await opening).Flow.ShouldNotBeNull();
        dear.Opens.ShouldBe(1);
        _carriers["direct second"].Opens.ShouldBe(1);
    }

    [Fact]
    public async Task Request_that_its_carrier_was_left_before_is_sent_by_the_one_in_use()
    {
        _carriers["direct first"].Answer = Answer.Broken;
        _carriers["direct second"].Answer = Answer.Broken;
        await ConnectAsync();
        var dear = _carriers[_link.Status.Gateway!];
        dear.Hold = new TaskCompletionSource();
        var answer = _link.Api.GetStringAsync("/", Soon);

        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.Carrier == "direct");
        answer.IsCompleted.ShouldBeFalse();
        dear.Hold.SetResult();
        (await answer).ShouldBe("direct second");
    }

    [Fact]
    public async Task Open_without_a_link_waits_for_it()
    {
        _carriers["direct first"].Answer = Answer.Silence;
        _link.Start();
        var opening = _link.OpenAsync(Target, null, Soon).AsTask();
        opening.IsCompleted.ShouldBeFalse();
        _carriers["direct second"].Answer = Answer.Pong;
        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Connected);
        (await opening).Flow.ShouldNotBeNull();
    }

    [Fact]
    public async Task Open_without_a_link_is_refused_at_its_deadline_with_the_problem()
    {
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Broken;
        }

        _link.Start();
        await AdvanceUntilAsync(() => _link.Status.State == LinkState.Disconnected);
        var opening = _link.OpenAsync(Target, null, Soon).AsTask();
        await AdvanceUntilAsync(() => opening.IsCompleted);
        (await opening).Refusal.ShouldBe(new FlowRefusal(FlowFailure.LinkDown, "direct first can't be reached: broken by the test"));
    }

    [Fact]
    public async Task Open_that_a_draining_gateway_refuses_is_tried_again()
    {
        await ConnectAsync();
        var carrier = _carriers["direct first"];
        carrier.Refusals.Enqueue(new FlowRefusal(FlowFailure.Draining, "bye"));
        carrier.Refusals.Enqueue(new FlowRefusal(FlowFailure.LinkDown, "gone"));
        var opening = _link.OpenAsync(Target, null, Soon).AsTask();
        await AdvanceUntilAsync(() => opening.IsCompleted);
        (await opening).Flow.ShouldNotBeNull();
    }

    [Fact]
    public async Task Open_that_is_refused_for_the_targets_sake_is_not_tried_again()
    {
        await ConnectAsync();
        var refusal = new FlowRefusal(FlowFailure.ConnectionRefused, "nobody listens");
        _carriers["direct first"].Refusals.Enqueue(refusal);
        (await _link.OpenAsync(Target, null, Soon)).Refusal.ShouldBe(refusal);
    }

    [Fact]
    public async Task Refusal_stops_trying_until_a_redial()
    {
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Refused;
        }

        _link.Start();
        (await Should.ThrowAsync<FairleadException>(() => _link.WaitUntilConnectedAsync(Soon))).Error.Code.ShouldBe("denied");
        await UntilAsync(() => _time.Pending > 0);
        var pings = _carriers["direct first"].Pings;
        _time.Advance(TimeSpan.FromMinutes(4));
        _carriers["direct first"].Pings.ShouldBe(pings);

        _carriers["direct first"].Answer = Answer.Pong;
        _link.Redial();
        await UntilAsync(() => _link.Status.State == LinkState.Connected);
    }

    [Fact]
    public async Task Change_of_the_network_ends_the_wait_for_the_next_attempt()
    {
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Broken;
        }

        _link.Start();
        await UntilAsync(() => _link.Status.State == LinkState.Disconnected && _time.Pending > 0);
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Pong;
        }

        // The clock stands still.
        _link.OnNetworkChanged();
        await UntilAsync(() => _link.Status.State == LinkState.Connected);
    }

    [Fact]
    public async Task New_endpoints_are_tried_at_once()
    {
        foreach (var carrier in _carriers.Values)
        {
            carrier.Answer = Answer.Refused;
        }

        _link.Start();
        await UntilAsync(() => _link.Status.State == LinkState.Refused && _time.Pending > 0);
        _link.SetEndpoints([new GatewayEndpoint("third", 1, 2)]);
        await UntilAsync(() => _link.Status.State == LinkState.Connected);
        _link.Status.Gateway.ShouldBe("direct third");
    }

    [Theory]
    [InlineData(0, 250)]
    [InlineData(1, 500)]
    [InlineData(2, 1000)]
    [InlineData(3, 1000)]
    [InlineData(5000, 1000)]
    public void Head_start_doubles_with_each_round_in_which_no_way_answered(int failures, int milliseconds) =>
        TunnelLink.HeadStartAfter(failures, TimeSpan.FromMilliseconds(250)).ShouldBe(TimeSpan.FromMilliseconds(milliseconds));

    [Fact]
    public void Backoff_doubles_its_bound_up_to_a_limit_and_starts_again()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(10), new AlwaysHighest());
        Enumerable.Range(0, 8).Select(_ => backoff.Next().TotalMilliseconds).ShouldBe([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        backoff.Reset();
        backoff.Next().TotalMilliseconds.ShouldBe(250);
    }

    private TunnelLink NewLink(TimeSpan connectTimeout)
    {
        var link = new TunnelLink(
            new TunnelLinkOptions { Endpoints = [First, Second], Tls = _space.Tls, OpenTimeout = TimeSpan.FromSeconds(15), ConnectTimeout = connectTimeout },
            NullLogger<TunnelLink>.Instance,
            _time,
            endpoint => [Carrier($"direct {endpoint.Host}"), Carrier($"websocket {endpoint.Host}")]);
        link.Changed += status => _states.Add(status.State);
        return link;
    }

    private async Task ConnectAsync()
    {
        _link.Start();
        await _link.WaitUntilConnectedAsync(Soon);
    }

    private async Task AdvanceUntilAsync(Func<bool> condition)
    {
        for (var patience = Soon; !condition(); patience.ThrowIfCancellationRequested())
        {
            // Only once the link waits for the clock: it runs on the pool's threads.
            await Task.Delay(2, CancellationToken.None);
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }
    }

    private FakeCarrier Carrier(string where) => _carriers[where] = new FakeCarrier(where);

    private enum Answer
    {
        Pong,
        Silence,
        Broken,
        Refused,
    }

    private sealed class AlwaysHighest : Random
    {
        public override double NextDouble() => 1;
    }

    private sealed class FakeCarrier(string where) : ICarrier
    {
        public Answer Answer { get; set; }

        public Queue<Answer> Next { get; } = [];

        public Queue<FlowRefusal> Refusals { get; } = [];

        public int Pings { get; private set; }

        /// <summary>Each time that it was left: whether as lost.</summary>
        public ConcurrentQueue<bool> Left { get; } = [];

        /// <summary>What an open waits for before it is refused with <see cref="FlowFailure.LinkDown"/>, and a request before it is told that the carrier was left.</summary>
        public TaskCompletionSource? Hold { get; set; }

        public int Opens { get; private set; }

        public string Name => where.Split(' ')[0];

        public string Where => where;

        public async Task PingAsync(CancellationToken cancellationToken)
        {
            Pings++;
            switch (Next.TryDequeue(out var next) ? next : Answer)
            {
                case Answer.Silence:
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                    break;
                case Answer.Broken:
                    throw LinkProblems.Of(new InvalidDataException("broken by the test"), where);
                case Answer.Refused:
                    throw LinkProblems.OfRefusal(new FlowRefusal(FlowFailure.Denied, "by the test"));
            }
        }

        public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
        {
            Opens++;
            if (Hold is { } hold)
            {
                await hold.Task.WaitAsync(cancellationToken);
                return new FlowOpening<IFlow>(null, new FlowRefusal(FlowFailure.LinkDown, "lost before it answered"));
            }

            return Refusals.TryDequeue(out var refusal) ? new FlowOpening<IFlow>(null, refusal) : new FlowOpening<IFlow>(new NoFlow(), null);
        }

        public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IReadOnlyCollection<string> Replicas => [];

        public IReadOnlyList<string> Pods { get; private set; } = [];

        public void Expect(IReadOnlyList<string> pods) => Pods = pods;

        /// <summary>Answers with <see cref="Where"/>.</summary>
        public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Hold is { } hold)
            {
                await hold.Task.WaitAsync(cancellationToken);
                throw new CarrierException(LinkProblems.Left, refused: false);
            }

            return new HttpResponseMessage { Content = new StringContent(where) };
        }

        public void Warm()
        {
        }

        public void Leave(bool lost) => Left.Enqueue(lost);

        public ValueTask DisposeAsync() => default;
    }

    private sealed class NoFlow : IFlow
    {
        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(0);

        public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => default;

        public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => default;

        public void Abort(FlowFailure failure)
        {
        }

        public ValueTask DisposeAsync() => default;
    }
}
