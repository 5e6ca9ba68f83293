using System.Collections.Concurrent;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

/// <summary>What becomes of connections, with ones that the test plays and a clock that it moves.</summary>
public sealed class ReplicaConnectionsTests : IAsyncDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();
    private readonly List<Played> _made = [];
    private readonly ReplicaConnections<Played> _connections;
    private Task _dial = Task.CompletedTask;

    public ReplicaConnectionsTests() => _connections = New();

    public ValueTask DisposeAsync() => _connections.DisposeAsync();

    [Fact]
    public async Task Connection_whose_ping_is_late_is_replaced()
    {
        await _connections.PingAsync(Soon);
        var late = _made.ShouldHaveSingleItem();
        late.Answer = Never;
        var ping = _connections.PingAsync(Soon);
        await AdvanceUntilAsync(() => !late.Retired.IsEmpty);
        await ping;
        _connections.Usable.ShouldHaveSingleItem().ShouldBeSameAs(_made[1]);
    }

    [Fact]
    public async Task Connection_whose_ping_is_late_stays_while_bytes_come_by_it()
    {
        await _connections.PingAsync(Soon);
        var slow = _made.ShouldHaveSingleItem();
        var answer = new TaskCompletionSource();
        slow.Answer = answer.Task.WaitAsync;
        var ping = _connections.PingAsync(Soon);
        for (var i = 0; i < 5; i++)
        {
            await UntilAsync(() => _time.Pending > 0);
            slow.Received += 1000;
            _time.Advance(Heartbeat.Patience);
        }

        slow.Retired.ShouldBeEmpty();
        ping.IsCompleted.ShouldBeFalse();
        answer.SetResult();
        await ping;
        _connections.Usable.ShouldHaveSingleItem().ShouldBeSameAs(slow);
    }

    [Fact]
    public async Task Connection_that_is_left_is_pinged_as_long_as_flows_go_by_it_and_closed_then()
    {
        await _connections.PingAsync(Soon);
        var left = _made[0];
        left.IsIdle = false;
        _connections.Leave(lost: false);
        _connections.Usable.ShouldBeEmpty();

        // Longer than one that is lost would last.
        await AdvanceUntilAsync(() => left.Pings > 70);
        left.Retired.ShouldBe([false]);
        left.Disposed.ShouldBeNull();

        left.IsIdle = true;
        await AdvanceUntilAsync(() => left.Disposed is not null);
    }

    [Fact]
    public async Task Connection_that_drains_is_kept_as_long_as_it_says_so()
    {
        await _connections.PingAsync(Soon);
        var draining = _made[0];
        draining.IsIdle = false;
        draining.Answer = _ =>
        {
            draining.Received++;
            throw LinkProblems.OfRefusal(new FlowRefusal(FlowFailure.Draining, "bye"));
        };
        await _connections.PingAsync(Soon);
        _connections.Usable.ShouldBe([_made[1]]);

        await AdvanceUntilAsync(() => draining.Pings > 70);
        draining.Retired.ShouldBe([false]);
        draining.Disposed.ShouldBeNull();
    }

    [Fact]
    public async Task Connection_that_was_left_and_falls_silent_is_lost_and_closed_a_minute_later()
    {
        await _connections.PingAsync(Soon);
        var left = _made[0];
        left.IsIdle = false;
        left.Answer = Never;
        var silent = _time.GetUtcNow();
        _connections.Leave(lost: false);

        await AdvanceUntilAsync(() => left.Retired.Count == 2);
        left.Retired.ShouldBe([false, true]);
        left.Disposed.ShouldBeNull();
        await AdvanceUntilAsync(() => left.Disposed is not null);
        (left.Disposed!.Value - silent).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Connection_that_was_lost_is_kept_when_its_path_comes_back()
    {
        await _connections.PingAsync(Soon);
        var lost = _made[0];
        lost.IsIdle = false;
        lost.Answer = Never;
        _connections.Leave(lost: true);
        await AdvanceUntilAsync(() => lost.Pings > 3);

        lost.Answer = _ => Task.CompletedTask;
        await AdvanceUntilAsync(() => lost.Pings > 80);
        lost.Disposed.ShouldBeNull();
        lost.Retired.ShouldBe([true]);
    }

    [Fact]
    public async Task Connection_that_is_made_when_its_carrier_was_left_is_closed()
    {
        var dial = new TaskCompletionSource();
        _dial = dial.Task;
        var ping = _connections.PingAsync(Soon);
        _connections.Leave(lost: false);
        dial.SetResult();
        (await Should.ThrowAsync<CarrierException>(() => ping)).Error.ShouldBe(LinkProblems.Left);
        _made.ShouldHaveSingleItem().Disposed.ShouldNotBeNull();

        (await Should.ThrowAsync<CarrierException>(() => _connections.AddAsync(_ => true, Soon))).Error.ShouldBe(LinkProblems.Left);
        _made.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Connection_that_is_made_when_all_were_disposed_is_closed()
    {
        var dialled = new TaskCompletionSource();
        _dial = dialled.Task;
        var connections = New();
        var adding = connections.AddAsync(_ => true, Soon);
        await connections.DisposeAsync();
        dialled.SetResult();

        (await Should.ThrowAsync<CarrierException>(adding)).Error.ShouldBe(LinkProblems.Left);
        _made.ShouldHaveSingleItem().Disposed.ShouldNotBeNull();
    }

    [Fact]
    public async Task Ping_takes_into_use_what_was_left()
    {
        await _connections.PingAsync(Soon);
        _connections.Leave(lost: true);
        await _connections.PingAsync(Soon);
        _connections.Usable.ShouldBe([_made[1]]);
        await AdvanceUntilAsync(() => _made[0].Disposed is not null);
        _made[1].Disposed.ShouldBeNull();
    }

    private ReplicaConnections<Played> New() => new(
        async (_, _) =>
        {
            await _dial;
            _made.Add(new Played(_time));
            return _made[^1];
        },
        width: 1,
        NullLogger.Instance,
        _time);

    private static Task Never(CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);

    private Task AdvanceUntilAsync(Func<bool> condition) => UntilAsync(() =>
    {
        // Only when somebody waits for the clock: else it would run ahead of a busy machine.
        if (_time.Pending > 0)
        {
            _time.Advance(Step);
        }

        return condition();
    });

    private sealed class Played(TimeProvider time) : IReplicaConnection
    {
        private int _pings;
        private long _received;

        public string Replica => "a";

        public bool IsUsable => Retired.IsEmpty;

        public bool IsIdle { get; set; } = true;

        public long Received
        {
            get => Volatile.Read(ref _received);
            set => Volatile.Write(ref _received, value);
        }

        public int Pings => Volatile.Read(ref _pings);

        public Func<CancellationToken, Task> Answer { get; set; } = _ => Task.CompletedTask;

        /// <summary>Each time that it was retired: whether as lost.</summary>
        public ConcurrentQueue<bool> Retired { get; } = [];

        public DateTimeOffset? Disposed { get; private set; }

        public async Task PingAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _pings);
            await Answer(cancellationToken);
            Interlocked.Increment(ref _received);
        }

        public void Retire(bool lost) => Retired.Enqueue(lost);

        public ValueTask DisposeAsync()
        {
            Disposed = time.GetUtcNow();
            return default;
        }
    }
}
