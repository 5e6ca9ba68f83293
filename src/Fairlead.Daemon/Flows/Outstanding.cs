namespace Fairlead.Daemon.Flows;

/// <summary>Counts work that is under way, with a bound, so that whoever started it can wait for all of it. Thread-safe.</summary>
internal sealed class Outstanding(int limit)
{
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // One is ours until the group is closed.
    private int count = 1;

    public int Count => Math.Max(0, Volatile.Read(ref count) - 1);

    /// <returns>False when <paramref name="limit"/> are under way already.</returns>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref count) - 1 <= limit)
        {
            return true;
        }

        Exit();
        return false;
    }

    public void Exit()
    {
        if (Interlocked.Decrement(ref count) == 0)
        {
            drained.SetResult();
        }
    }

    /// <summary>Nothing enters any more: completes when all that entered is through. Called once.</summary>
    public Task CloseAsync()
    {
        Exit();
        return drained.Task;
    }
}
