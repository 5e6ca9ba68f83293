namespace Fairlead.Sandbox.ApiServer.Storage;

/// <summary>
/// The latest changes of one resource in order of their versions, and a signal for the next one. Watchers read it at their own pace by
/// version, so a slow one costs nothing; one that falls behind the oldest change kept is told so (410) and lists again.
/// Not thread-safe: the store's lock covers it.
/// </summary>
internal sealed class EventHistory(int capacity)
{
    private readonly List<WatchEvent> ring = [];
    private int oldest;
    private TaskCompletionSource changed = NewSignal();

    /// <summary>Every change after this version is still known.</summary>
    public long CompleteSince { get; private set; }

    /// <summary>Completes with the next change.</summary>
    public Task Changed => changed.Task;

    public void Add(WatchEvent change)
    {
        if (ring.Count < capacity)
        {
            ring.Add(change);
        }
        else
        {
            CompleteSince = ring[oldest].ResourceVersion;
            ring[oldest] = change;
            oldest = (oldest + 1) % capacity;
        }

        var signal = changed;
        changed = NewSignal();
        signal.SetResult();
    }

    public WatchEvent[] After(long version)
    {
        var (low, high) = (0, ring.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = At(middle).ResourceVersion <= version ? (middle + 1, high) : (low, middle);
        }

        var result = new WatchEvent[ring.Count - low];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = At(low + i);
        }

        return result;
    }

    private WatchEvent At(int index) => ring[(oldest + index) % ring.Count];

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
