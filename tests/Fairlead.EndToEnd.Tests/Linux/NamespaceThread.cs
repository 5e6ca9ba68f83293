using System.Collections.Concurrent;

namespace Fairlead.EndToEnd.Tests.Linux;

/// <summary>Runs a task's continuations on the thread that started it, which alone is in the namespace: what it starts later must be there too.</summary>
internal sealed class NamespaceThread : SynchronizationContext
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> posted = [];

    public static T Run<T>(Func<Task<T>> action)
    {
        var context = new NamespaceThread();
        SetSynchronizationContext(context);
        var task = action();
        _ = task.ContinueWith(_ => context.posted.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        foreach (var (callback, state) in context.posted.GetConsumingEnumerable())
        {
            callback(state);
        }

        return task.GetAwaiter().GetResult();
    }

    /// <summary>Loops that outlive the task go on elsewhere.</summary>
    public override void Post(SendOrPostCallback d, object? state)
    {
        try
        {
            posted.Add((d, state));
        }
        catch (InvalidOperationException)
        {
            ThreadPool.QueueUserWorkItem(_ => d(state));
        }
    }
}
