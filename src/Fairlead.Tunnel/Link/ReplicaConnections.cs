using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Connections to the gateway's replicas: as many as wanted, to two different replicas where there are two. All are pinged; one that stays silent or
/// drains is retired and replaced. Connections are dialled one at a time.
/// </summary>
/// <param name="dial">Makes one more, which has proved nothing yet but its certificate; told the replicas that the usable ones lead to.</param>
/// <param name="width">How many to keep.</param>
internal partial class ReplicaConnections<T>(Func<IReadOnlyList<string>, CancellationToken, Task<T>> dial, int width, ILogger logger, TimeProvider time) : IAsyncDisposable
    where T : class, IReplicaConnection
{
    /// <summary>Dials that may find no second replica behind a load balancer; half of them do when it chooses at random.</summary>
    private const int MaxProbes = 8;

    private static readonly TimeSpan DialPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _dialing = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<T> _usable = [];
    private readonly RetiredConnections _retired = new(logger, time);
    private readonly Dictionary<T, Task<CarrierException?>> _pings = [];
    private Task _growing = Task.CompletedTask;
    private TimeSpan _pause = FirstPause;
    private long _notBefore;
    private int _expected;
    private int _probes;
    private bool _left;

    public IReadOnlyList<T> Usable
    {
        get
        {
            lock (_lock)
            {
                return [.. _usable.Where(c => c.IsUsable)];
            }
        }
    }

    public IReadOnlyList<string> Replicas => [.. Usable.Select(c => c.Replica)];

    /// <summary>Looks for a second replica where there are two.</summary>
    public void Expect(int replicas)
    {
        lock (_lock)
        {
            _expected = replicas;
            _probes = 0;
            _notBefore = 0;
        }
    }

    /// <summary>One more connection, or one that came while this waited for its turn.</summary>
    /// <exception cref="CarrierException">None could be had, or the link goes another way now.</exception>
    public async Task<T> AddAsync(Func<T, bool> suitable, CancellationToken cancellationToken)
    {
        await _dialing.WaitAsync(cancellationToken);
        try
        {
            if (Usable.FirstOrDefault(suitable) is { } known)
            {
                return known;
            }

            Sweep();
            if (!Volatile.Read(ref _left))
            {
                var made = await DialAsync(cancellationToken);
                if (TryKeep(made, width: int.MaxValue))
                {
                    return made;
                }

                await made.DisposeAsync();
            }

            throw new CarrierException(LinkProblems.Left, refused: false);
        }
        finally
        {
            _dialing.Release();
        }
    }

    /// <summary>Pings every connection; returns with the first answer, or when a new connection was made. What was left is in use again.</summary>
    /// <exception cref="CarrierException">No replica answers.</exception>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        Return();
        CarrierException? refusal = null;
        while (true)
        {
            var pings = Usable.Select(JudgeAsync).ToList();
            if (pings.Count == 0)
            {
                if (refusal is { Refused: true })
                {
                    throw refusal;
                }

                await AddAsync(_ => true, cancellationToken);
                break;
            }

            var answered = false;
            while (!answered && pings.Count > 0)
            {
                var done = await Task.WhenAny(pings).WaitAsync(cancellationToken);
                pings.Remove(done);
                answered = await done is not { } failure;
                refusal = answered ? refusal : await done;
            }

            if (answered)
            {
                break;
            }
        }

        Maintain();
    }

    /// <summary>
    /// Pings the connections, and makes them, without anybody waiting for it. To be called instead of <see cref="PingAsync"/>, as often.
    /// </summary>
    public void Keep()
    {
        Return();
        foreach (var connection in Usable)
        {
            _ = JudgeAsync(connection);
        }

        Maintain();
    }

    /// <summary>What was left is in use again; connections are made when they are asked for.</summary>
    public void Return() => Volatile.Write(ref _left, false);

    /// <summary>The link goes another way: nothing new goes by these connections, and none is made, until they are pinged again or <see cref="Return"/> says so.</summary>
    /// <param name="lost">Because this one is silent or broken.</param>
    public void Leave(bool lost)
    {
        T[] all;
        lock (_lock)
        {
            _left = true;
            all = [.. _usable];
        }

        Array.ForEach(all, connection => Retire(connection, lost, lost ? "lost" : "the link goes another way"));
    }

    /// <param name="lost">It is silent or ended; else it drains, and what is open on it may go on.</param>
    public void Retire(T connection, bool lost) => Retire(connection, lost, lost ? "lost" : "draining");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _growing;
        T[] usable;
        Task[] pings;
        lock (_lock)
        {
            usable = [.. _usable];
            _usable.Clear();
            pings = [.. _pings.Values];
        }

        await Task.WhenAll(pings);
        foreach (var connection in usable)
        {
            await connection.DisposeAsync();
        }

        await _retired.DisposeAsync();
        _stop.Dispose();
    }

    /// <summary>One more, that has answered a ping.</summary>
    private async Task<T> DialAsync(CancellationToken cancellationToken)
    {
        var made = await dial(Replicas, cancellationToken);
        try
        {
            await made.PingAsync(cancellationToken);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <returns>Null when it answers a ping; else the connection is retired.</returns>
    private async Task<CarrierException?> JudgeAsync(T connection)
    {
        var failure = await PingOnce(connection);
        if (failure is not null)
        {
            Retire(connection, lost: failure.Error.Code != LinkProblems.DrainingCode);
        }

        return failure;
    }

    /// <summary>One ping at a time on each connection; one that is under way is joined.</summary>
    /// <returns>Null when it was answered.</returns>
    private Task<CarrierException?> PingOnce(T connection)
    {
        lock (_lock)
        {
            if (!_pings.TryGetValue(connection, out var running))
            {
                running = _pings[connection] = Task.Run(() => AskAsync(connection));
            }

            return running;
        }
    }

    private async Task<CarrierException?> AskAsync(T connection)
    {
        try
        {
            return await Heartbeat.AskAsync(connection, time, _stop.Token);
        }
        finally
        {
            lock (_lock)
            {
                _pings.Remove(connection);
            }
        }
    }

    private void Retire(T connection, bool lost, string why)
    {
        lock (_lock)
        {
            if (!_usable.Remove(connection))
            {
                return;
            }

            _retired.Add(connection, lost);
            _probes = 0;
            _notBefore = 0;
        }

        LogRetired(connection.Replica, why);
        connection.Retire(lost);
    }

    /// <summary>Those that ended are not usable, and nobody else says so.</summary>
    private void Sweep()
    {
        T[] ended;
        lock (_lock)
        {
            ended = [.. _usable.Where(c => !c.IsUsable)];
        }

        Array.ForEach(ended, connection => Retire(connection, lost: false, "it ended, or said farewell"));
    }

    /// <summary>Sweeps what ended, and grows towards the width and the second replica.</summary>
    private void Maintain()
    {
        Sweep();
        lock (_lock)
        {
            if (!_left && !_stop.IsCancellationRequested && _growing.IsCompleted && time.GetTimestamp() >= _notBefore && (_usable.Count < width || MissesReplica()))
            {
                _growing = Task.Run(GrowAsync);
            }
        }
    }

    /// <returns>Whether it is one of those now: not where the link has gone another way or ended meanwhile, nor beyond the width one to a replica that is known.</returns>
    private bool TryKeep(T made, int width)
    {
        lock (_lock)
        {
            var keep = !_left && !_stop.IsCancellationRequested && (_usable.Count < width || _usable.TrueForAll(c => c.Replica != made.Replica));
            if (keep)
            {
                _usable.Add(made);
            }

            return keep;
        }
    }

    /// <summary>Under the lock.</summary>
    private bool MissesReplica() => _expected > 1 && _probes < MaxProbes && _usable.Select(c => c.Replica).Distinct().Count() < 2;

    private async Task GrowAsync()
    {
        using var deadline = new CancellationTokenSource(DialPatience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, _stop.Token);
        var gained = false;
        try
        {
            await _dialing.WaitAsync(either.Token);
            try
            {
                var made = await DialAsync(either.Token);
                lock (_lock)
                {
                    _probes++;
                }

                gained = TryKeep(made, width);
                if (!gained)
                {
                    await made.DisposeAsync();
                }
            }
            finally
            {
                _dialing.Release();
            }
        }
        catch (Exception e) when (e is CarrierException or OperationCanceledException)
        {
            LogNotGrown(e.Message);
        }

        lock (_lock)
        {
            _pause = gained ? FirstPause : _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            _notBefore = gained ? 0 : time.GetTimestamp() + (long)(_pause.TotalSeconds * time.TimestampFrequency);
        }
    }

    [LoggerMessage(EventId = 311, Level = LogLevel.Information, Message = "No new flows to replica '{Replica}': {Why}")]
    private partial void LogRetired(string replica, string why);

    [LoggerMessage(EventId = 312, Level = LogLevel.Debug, Message = "No further connection: {Why}")]
    private partial void LogNotGrown(string why);
}
