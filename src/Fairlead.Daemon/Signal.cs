namespace Fairlead.Daemon;

/// <summary>Something changed: wakes everybody who waits. Whoever reads the version before the state and then waits for a newer one misses nothing. Thread-safe.</summary>
internal sealed class Signal
{
    private readonly Lock gate = new();
    private TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long version;

    public long Version => Volatile.Read(ref version);

    public void Pulse()
    {
        TaskCompletionSource done;
        lock (gate)
        {
            version++;
            done = next;
            next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        done.SetResult();
    }

    /// <summary>Completes when the version is no longer <paramref name="seen"/>.</summary>
    public Task WaitAsync(long seen, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return version != seen ? Task.CompletedTask : next.Task.WaitAsync(cancellationToken);
        }
    }
}
