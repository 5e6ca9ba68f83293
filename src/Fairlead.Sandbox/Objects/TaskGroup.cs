namespace Fairlead.Sandbox.Objects;

/// <summary>Tasks that live and end together.</summary>
internal static class TaskGroup
{
    /// <summary>Runs all until one ends or the token is cancelled, ends the others, and throws the first real failure.</summary>
    internal static async Task RunAsync(CancellationToken cancellationToken, params Func<CancellationToken, Task>[] parts)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var tasks = parts.Select(part => Task.Run(() => part(stop.Token), CancellationToken.None)).ToArray();
        await Task.WhenAny(tasks);
        await stop.CancelAsync();
        await Task.WhenAll(tasks).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (tasks.FirstOrDefault(task => task.IsFaulted) is { } failed)
        {
            await failed;
        }

        cancellationToken.ThrowIfCancellationRequested();
    }
}

internal static class CancellationTokenExtensions
{
    /// <summary>Completes when the token is cancelled.</summary>
    internal static Task WhenCancelled(this CancellationToken token)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(() => done.TrySetResult());
        return done.Task;
    }
}
