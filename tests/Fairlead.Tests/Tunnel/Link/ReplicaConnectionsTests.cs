using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging.Abstractions;

namespace Fairlead.Tests.Tunnel.Link;

/// <summary>Which connections are kept, with connections that the test plays and a clock that it moves.</summary>
public sealed class ReplicaConnectionsTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private readonly List<Played> _made = [];
    private ReplicaConnections<Played> _connections = null!;

    public async ValueTask InitializeAsync()
    {
        _connections = new ReplicaConnections<Played>(
            (_, _) =>
            {
                _made.Add(new Played($"{_made.Count}"));
                return Task.FromResult(_made[^1]);
            },
            width: 1,
            NullLogger.Instance,
            _time);
        await _connections.PingAsync(Soon);
    }

    public async ValueTask DisposeAsync()
    {
        _made.ForEach(connection => connection.Answer());
        await _connections.DisposeAsync();
    }

    [Fact]
    public async Task Connection_whose_ping_is_late_is_replaced()
    {
        var first = _made.ShouldHaveSingleItem();
        first.Hold();
        var ping = _connections.PingAsync(Soon);

        await AdvanceUntilAsync(() => first.IsRetired);

        await ping;
        _connections.Usable.ShouldHaveSingleItem().ShouldBeSameAs(_made[1]);
    }

    [Fact]
    public async Task Connection_whose_ping_is_late_stays_while_bytes_come_by_it()
    {
        var first = _made.ShouldHaveSingleItem();
        first.Hold();
        var ping = _connections.PingAsync(Soon);
        await UntilAsync(() => _time.Pending > 0);
        for (var i = 0; i < 5; i++)
        {
            first.Received += 1000;
            _time.Advance(ReplicaConnections<Played>.Patience);
            await UntilAsync(() => _time.Pending > 0);
        }

        first.IsRetired.ShouldBeFalse();
        ping.IsCompleted.ShouldBeFalse();

        first.Answer();
        await ping;
        _connections.Usable.ShouldHaveSingleItem().ShouldBeSameAs(first);
    }

    [Fact]
    public async Task Retired_connection_with_flows_goes_on_while_it_answers_and_ends_a_minute_after()
    {
        var first = _made.ShouldHaveSingleItem();
        first.IsIdle = false;
        _connections.Retire(first, lost: true);
        for (var i = 0; i < 3; i++)
        {
            var received = first.Received;
            await _connections.PingAsync(Soon);
            await UntilAsync(() => first.Received > received);
            _time.Advance(TimeSpan.FromSeconds(50));
            first.IsDisposed.ShouldBeFalse();
        }

        first.Hold();
        await _connections.PingAsync(Soon);
        _time.Advance(TimeSpan.FromSeconds(61));
        await UntilAsync(async () =>
        {
            await _connections.PingAsync(Soon);
            _time.Advance(TimeSpan.FromSeconds(61));
            return first.IsDisposed;
        });
    }

    private async Task AdvanceUntilAsync(Func<bool> condition)
    {
        for (var patience = Soon; !condition(); patience.ThrowIfCancellationRequested())
        {
            await Task.Delay(2, CancellationToken.None);
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }
    }

    private sealed class Played(string replica) : IReplicaConnection
    {
        private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _held;

        public string Replica => replica;

        public bool IsUsable => !IsRetired;

        public bool IsIdle { get; set; } = true;

        public long Received { get; set; }

        public bool IsRetired { get; private set; }

        public bool IsDisposed { get; private set; }

        public bool IsHeld { get; private set; }

        public void Hold() => _held = true;

        public void Answer() => _answer.TrySetResult();

        public async Task PingAsync(CancellationToken cancellationToken)
        {
            if (_held)
            {
                await _answer.Task.WaitAsync(cancellationToken);
            }

            Received++;
        }

        public void Retire(bool lost) => IsRetired = true;

        public ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return default;
        }
    }
}
