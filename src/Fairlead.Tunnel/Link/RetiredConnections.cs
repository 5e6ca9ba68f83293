using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Connections that nothing new goes by, because they drain or fell silent, or because the link goes another way. What is open on them goes on: they
/// are pinged, what waits for its answer on one that falls silent is let go, and one is closed when nothing goes by it any more, or nothing came by it
/// for long. Owns them. Thread-safe.
/// </summary>
internal sealed partial class RetiredConnections(ILogger logger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Between two looks at a connection.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>Flows may live if the path comes back: a connection is given up when nothing came for so long. Then their own end or TCP's limits are due.</summary>
    private static readonly TimeSpan SilentLife = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly HashSet<Task> _watches = [];
    private readonly CancellationTokenSource _stop = new();

    /// <param name="lost">What waits for its answer was let go.</param>
    public void Add(IReplicaConnection connection, bool lost)
    {
        var watch = WatchAsync(connection, lost);
        lock (_lock)
        {
            _watches.RemoveWhere(w => w.IsCompleted);
            _watches.Add(watch);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] watches;
        lock (_lock)
        {
            watches = [.. _watches];
        }

        await Task.WhenAll(watches);
        _stop.Dispose();
    }

    private async Task WatchAsync(IReplicaConnection connection, bool lost)
    {
        try
        {
            for (var (received, heard) = (connection.Received, time.GetTimestamp()); ;)
            {
                await Task.Delay(LookInterval, time, _stop.Token);
                if (connection.Received is var now && now != received)
                {
                    (received, heard) = (now, time.GetTimestamp());
                }

                if (connection.IsIdle || time.GetElapsedTime(heard) >= SilentLife)
                {
                    return;
                }

                // Flows may be idle: it is by an answer that a connection on which nothing else comes is known to live.
                var failure = await Heartbeat.AskAsync(connection, time, _stop.Token);
                _stop.Token.ThrowIfCancellationRequested();
                if (failure is not null && failure.Error.Code != LinkProblems.DrainingCode && !lost)
                {
                    lost = true;
                    LogSilent(connection.Replica, failure.Message);
                    connection.Retire(lost);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // All are closed.
        }
        finally
        {
            await connection.DisposeAsync();
        }
    }

    [LoggerMessage(EventId = 314, Level = LogLevel.Information, Message = "A connection to replica '{Replica}' with flows from before fell silent: {Why}")]
    private partial void LogSilent(string replica, string why);
}
