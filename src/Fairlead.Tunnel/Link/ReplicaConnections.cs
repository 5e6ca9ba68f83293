using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>A connection that lasts, to one replica.</summary>
internal interface IReplicaConnection : IAsyncDisposable
{
    /// <summary>Empty where the gateway doesn't say.</summary>
    string Replica { get; }

    /// <summary>New flows may go by it; false once its end or the replica's was seen.</summary>
    bool IsUsable { get; }

    /// <summary>Nothing goes by it any more.</summary>
    bool IsIdle { get; }

    /// <summary>Bytes that came by it: while there are more, it lives, however late the answer to a ping is.</summary>
    long Received { get; }

    /// <exception cref="CarrierException">The replica does not answer, or goes away.</exception>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>It is not used for anything new; what waits for its answer is let go when it was lost.</summary>
    void Retire(bool lost);
}

/// <summary>
/// Connections to the gateway's replicas: as many as wanted, to two different replicas where there are two. All are pinged; one that stays silent or
/// drains is retired and replaced. Connections are dialled one at a time.
/// </summary>
/// <param name="dial">Makes one more, which has proved nothing yet but its certificate; told the replicas that the usable ones lead to.</param>
/// <param name="width">How many to keep.</param>
internal partial class ReplicaConnections<T>(Func<IReadOnlyList<string>, CancellationToken, Task<T>> dial, int width, ILogger logger, TimeProvider time) : IAsyncDisposable
    where T : class, IReplicaConnection
{
    /// <summary>Two heartbeats of the link, and well below its two seconds.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.2);

    /// <summary>Dials that may find no second replica behind a load balancer; half of them do when it chooses at random.</summary>
    private const int MaxProbes = 8;

    private static readonly TimeSpan DialPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>Flows on a connection that was lost may live if the path comes back: it is given up when nothing came for so long. Then their own end or TCP's limits are due.</summary>
    private static readonly TimeSpan RetiredLife = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _dialing = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<T> _usable = [];
    private readonly List<Retired> _retired = [];
    private readonly Dictionary<T, Task<CarrierException?>> _pings = [];
    private Task _growing = Task.CompletedTask;
    private TimeSpan _pause = FirstPause;
    private long _notBefore;
    private int _expected;
    private int _probes;

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
    /// <exception cref="CarrierException">None could be had.</exception>
    public async Task<T> AddAsync(Func<T, bool> suitable, CancellationToken cancellationToken)
    {
        await _dialing.WaitAsync(cancellationToken);
        try
        {
            if (Usable.FirstOrDefault(suitable) is { } known)
            {
                return known;
            }

            var made = await DialAsync(cancellationToken);
            lock (_lock)
            {
                _usable.Add(made);
            }

            return made;
        }
        finally
        {
            _dialing.Release();
        }
    }

    /// <summary>Pings every connection; returns with the first answer, or when a new connection was made.</summary>
    /// <exception cref="CarrierException">No replica answers.</exception>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        CarrierException? refusal = null;
        while (true)
        {
            var pings = Usable.Select(PingOnce).ToList();
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
        foreach (var connection in Usable)
        {
            _ = PingOnce(connection);
        }

        Maintain();
    }

    /// <param name="lost">It is silent or ended; else it drains, and what is open on it may go on.</param>
    public void Retire(T connection, bool lost)
    {
        lock (_lock)
        {
            if (!_usable.Remove(connection))
            {
                return;
            }

            _retired.Add(new Retired(connection, time));
            _probes = 0;
            _notBefore = 0;
        }

        LogRetired(connection.Replica, lost ? "lost" : "draining");
        connection.Retire(lost);
    }

    /// <summary>Nothing of what is there is used again.</summary>
    public void RetireAll()
    {
        foreach (var connection in Usable)
        {
            Retire(connection, lost: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _growing;
        T[] all;
        Task asking;
        lock (_lock)
        {
            all = [.. _usable, .. _retired.Select(r => r.Connection)];
            asking = Task.WhenAll(_retired.Select(r => r.Asking));
            _usable.Clear();
            _retired.Clear();
        }

        foreach (var connection in all)
        {
            await connection.DisposeAsync();
        }

        await asking;
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

    /// <summary>One ping at a time on each connection; one that is under way is joined.</summary>
    /// <returns>Null when it was answered; else the connection is retired.</returns>
    private Task<CarrierException?> PingOnce(T connection)
    {
        lock (_lock)
        {
            if (!_pings.TryGetValue(connection, out var running))
            {
                running = _pings[connection] = Task.Run(() => JudgeAsync(connection));
            }

            return running;
        }
    }

    private async Task<CarrierException?> JudgeAsync(T connection)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var received = connection.Received;
        var ping = connection.PingAsync(enough.Token);
        try
        {
            while (true)
            {
                try
                {
                    await ping.WaitAsync(Patience, time);
                    return null;
                }
                catch (TimeoutException) when (connection.Received != received)
                {
                    // What a saturated flow brings over a thin line is before the answer in the same queue.
                    received = connection.Received;
                }
            }
        }
        catch (Exception e) when (e is CarrierException or OperationCanceledException or TimeoutException)
        {
            await enough.CancelAsync();
            await ping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var failure = LinkProblems.Of(e, connection.Replica);
            Retire(connection, lost: failure.Error.Code != LinkProblems.DrainingCode);
            return failure;
        }
        finally
        {
            lock (_lock)
            {
                _pings.Remove(connection);
            }
        }
    }

    /// <summary>Sweeps what ended, and grows towards the width and the second replica.</summary>
    private void Maintain()
    {
        List<T> over;
        lock (_lock)
        {
            foreach (var ended in _usable.Where(c => !c.IsUsable).ToArray())
            {
                _usable.Remove(ended);
                _retired.Add(new Retired(ended, time));
            }

            over = [.. _retired.Where(r => r.IsOver()).Select(r => r.Connection)];
            _retired.RemoveAll(r => over.Contains(r.Connection));
            _retired.ForEach(r => r.Ask(_stop.Token));
            if (_growing.IsCompleted && time.GetTimestamp() >= _notBefore && !_stop.IsCancellationRequested && (_usable.Count < width || MissesReplica()))
            {
                _growing = Task.Run(() => GrowAsync(over));
                return;
            }
        }

        // Nothing awaits a connection that nobody uses: its disposal can't block.
        over.ForEach(connection => _ = connection.DisposeAsync().AsTask());
    }

    /// <summary>Under the lock.</summary>
    private bool MissesReplica() => _expected > 1 && _probes < MaxProbes && _usable.Select(c => c.Replica).Distinct().Count() < 2;

    private async Task GrowAsync(List<T> over)
    {
        foreach (var connection in over)
        {
            await connection.DisposeAsync();
        }

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
                    gained = _usable.Count < width || _usable.TrueForAll(c => c.Replica != made.Replica);
                    if (gained)
                    {
                        _usable.Add(made);
                    }
                }

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

    /// <summary>A connection that nothing new goes by.</summary>
    private sealed class Retired(T connection, TimeProvider time)
    {
        private long _received = connection.Received;
        private long _heard = time.GetTimestamp();

        public T Connection => connection;

        public Task Asking { get; private set; } = Task.CompletedTask;

        public bool IsOver()
        {
            if (connection.Received is var received && received != _received)
            {
                (_received, _heard) = (received, time.GetTimestamp());
            }

            return connection.IsIdle || time.GetElapsedTime(_heard) > RetiredLife;
        }

        /// <summary>Flows may be idle: it is by an answer that a connection on which nothing else comes is known to live.</summary>
        public void Ask(CancellationToken cancellationToken)
        {
            if (Asking.IsCompleted)
            {
                Asking = Task.Run(() => AskAsync(cancellationToken), CancellationToken.None);
            }
        }

        private async Task AskAsync(CancellationToken cancellationToken)
        {
            try
            {
                await connection.PingAsync(cancellationToken);
            }
            catch (Exception e) when (e is CarrierException or OperationCanceledException or ObjectDisposedException)
            {
                // It drains, or it has ended: what came by it says enough.
            }
        }
    }

    [LoggerMessage(EventId = 311, Level = LogLevel.Information, Message = "No new flows to replica '{Replica}': {Why}")]
    private partial void LogRetired(string replica, string why);

    [LoggerMessage(EventId = 312, Level = LogLevel.Debug, Message = "No further connection: {Why}")]
    private partial void LogNotGrown(string why);
}
