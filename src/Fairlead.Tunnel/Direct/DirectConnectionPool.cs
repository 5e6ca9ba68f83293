using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Direct;

/// <summary>A connection out of the pool, and its first frame, which was awaited while it was idle too.</summary>
/// <param name="WasIdle">It may have died without our knowing.</param>
/// <param name="Doubtful">It was idle for so long that this is not even unlikely.</param>
internal readonly record struct PooledConnection(DirectConnection Connection, Task<FrameHeader> Next, bool WasIdle, bool Doubtful = false);

/// <summary>
/// Warm connections to one gateway. The newest idle one is taken first; without one, a taker waits for whichever comes first, a new
/// connection or one that another flow gives back. Spares follow demand: doubled by each miss, halved by each quiet period.
/// </summary>
internal sealed partial class DirectConnectionPool(DirectDialer dialer, DirectCarrierOptions options, ILogger logger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Handshakes at a time: more would only make each of them slower.</summary>
    private const int MaxDials = 64;

    /// <summary>A middlebox forgets, a laptop sleeps: bytes that can't be sent twice don't go first on a connection that was idle for longer.</summary>
    private static readonly TimeSpan DoubtfulAfter = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan QuietPeriod = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Idle> _idle = [];
    private readonly LinkedList<TaskCompletionSource<PooledConnection>> _waiters = [];
    private readonly TaskCompletionSource _lastDial = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _dialing;
    private int _spareTarget = options.MinSpare;
    private bool _missed;
    private bool _disposed;
    private ITimer? _quiet;

    public int IdleCount
    {
        get
        {
            lock (_lock)
            {
                return _idle.Count;
            }
        }
    }

    /// <summary>Dials the spares, so that the first flow finds one.</summary>
    public void Warm()
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _quiet ??= time.CreateTimer(_ => OnQuietPeriod(), null, QuietPeriod, QuietPeriod);
                EnsureDials();
            }
        }
    }

    /// <exception cref="CarrierException">No connection could be had.</exception>
    public async ValueTask<PooledConnection> TakeAsync(CancellationToken cancellationToken)
    {
        var current = dialer.Tls.Certificate;
        LinkedListNode<TaskCompletionSource<PooledConnection>> waiter;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            while (_idle.Count > 0)
            {
                var idle = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
                if (!idle.Next.IsCompleted && ReferenceEquals(idle.Connection.LocalCertificate, current))
                {
                    return new PooledConnection(idle.Connection, idle.Next, WasIdle: true, Doubtful: time.GetElapsedTime(idle.Since) > DoubtfulAfter);
                }

                // Its watch disposes it.
                idle.Connection.Close();
            }

            _missed = true;
            _spareTarget = Math.Clamp(_spareTarget * 2, options.MinSpare, options.MaxSpare);
            waiter = _waiters.AddLast(new TaskCompletionSource<PooledConnection>(TaskCreationOptions.RunContinuationsAsynchronously));
            Warm();
        }

        try
        {
            return await waiter.Value.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            lock (_lock)
            {
                if (waiter.List is not null)
                {
                    _waiters.Remove(waiter);
                }
            }

            if (waiter.Value.Task.IsCompletedSuccessfully)
            {
                Offer(await waiter.Value.Task);
            }

            throw;
        }
    }

    /// <summary>A connection that was never in the pool.</summary>
    /// <exception cref="CarrierException">No connection could be had.</exception>
    public async ValueTask<PooledConnection> DialFreshAsync(CancellationToken cancellationToken) => Fresh(await dialer.DialAsync(cancellationToken));

    /// <summary>Takes back a connection whose flow ended cleanly, or was refused.</summary>
    public void Return(DirectConnection connection) => Offer(new PooledConnection(connection, connection.ReadHeaderAsync(CancellationToken.None).AsTask(), WasIdle: true));

    /// <summary>Takes back a connection on which nothing was opened.</summary>
    public void ReturnUnused(PooledConnection pooled) => Offer(pooled);

    /// <summary>Closes idle connections: the way they go is in doubt.</summary>
    public void Clear()
    {
        Idle[] all;
        lock (_lock)
        {
            all = [.. _idle];
            _idle.Clear();
            _spareTarget = options.MinSpare;
        }

        foreach (var idle in all)
        {
            // Its watch sees the end and disposes it.
            idle.Connection.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _quiet?.Dispose();
            if (_dialing == 0)
            {
                _lastDial.TrySetResult();
            }
        }

        await _stop.CancelAsync();
        Clear();
        await _lastDial.Task;
        _stop.Dispose();
    }

    private static PooledConnection Fresh(DirectConnection connection) =>
        new(connection, connection.ReadHeaderAsync(CancellationToken.None).AsTask(), WasIdle: false);

    private void Offer(PooledConnection pooled)
    {
        var keep = false;
        lock (_lock)
        {
            if (!_disposed)
            {
                while (_waiters.First is { } waiter)
                {
                    _waiters.RemoveFirst();
                    if (waiter.Value.TrySetResult(pooled))
                    {
                        return;
                    }
                }

                keep = _idle.Count < options.MaxIdle;
                if (keep)
                {
                    _idle.Add(new Idle(pooled.Connection, pooled.Next, time.GetTimestamp()));
                }
            }
        }

        if (!keep)
        {
            pooled.Connection.Close();
        }

        // Owned by the connection: it ends with the next frame, which comes when the connection is taken or ends.
        _ = WatchAsync(pooled);
    }

    /// <summary>Nothing comes on an idle connection but its end: then it leaves the pool.</summary>
    private async Task WatchAsync(PooledConnection pooled)
    {
        try
        {
            await pooled.Next;
        }
        catch (Exception e) when (DirectConnection.IsConnectionFailure(e))
        {
            LogIdleEnded(e.Message);
        }

        bool idle;
        lock (_lock)
        {
            idle = _idle.RemoveAll(i => ReferenceEquals(i.Connection, pooled.Connection)) > 0;
        }

        if (idle || pooled.Connection.IsClosed)
        {
            await pooled.Connection.DisposeAsync();
        }
    }

    /// <summary>Under the lock.</summary>
    private void EnsureDials()
    {
        var wanted = Math.Min(_waiters.Count + Math.Max(0, _spareTarget - _idle.Count), MaxDials);
        for (; _dialing < wanted; _dialing++)
        {
            _ = Task.Run(DialAsync);
        }
    }

    private async Task DialAsync()
    {
        CarrierException? failure = null;
        try
        {
            Offer(Fresh(await dialer.DialAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            failure = new CarrierException(LinkProblems.Stopped, refused: false);
        }
        catch (CarrierException e)
        {
            LogDialFailed(dialer.Where, e.Message);
            failure = e;
        }

        TaskCompletionSource<PooledConnection>? waiter = null;
        lock (_lock)
        {
            _dialing--;
            if (failure is not null && _waiters.First is { } first)
            {
                _waiters.RemoveFirst();
                waiter = first.Value;
            }

            if (_disposed && _dialing == 0)
            {
                _lastDial.TrySetResult();
            }
            else if (!_disposed && _waiters.Count > 0)
            {
                EnsureDials();
            }
        }

        waiter?.TrySetException(failure!);
    }

    private void OnQuietPeriod()
    {
        List<Idle> old;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            if (!_missed)
            {
                _spareTarget = Math.Max(options.MinSpare, _spareTarget / 2);
            }

            _missed = false;
            var surplus = _idle.Count - options.MinSpare;
            old = [.. _idle.Take(Math.Max(0, surplus)).Where(i => time.GetElapsedTime(i.Since) > options.IdleTimeout)];
            _idle.RemoveRange(0, old.Count);
        }

        foreach (var idle in old)
        {
            idle.Connection.Close();
        }
    }

    private readonly record struct Idle(DirectConnection Connection, Task<FrameHeader> Next, long Since);

    [LoggerMessage(EventId = 101, Level = LogLevel.Debug, Message = "An idle connection ended: {Why}")]
    private partial void LogIdleEnded(string why);

    [LoggerMessage(EventId = 102, Level = LogLevel.Debug, Message = "No connection to {Where}: {Why}")]
    private partial void LogDialFailed(string where, string why);
}
