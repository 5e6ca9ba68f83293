using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Dial;

/// <summary>Several ways to the same end are tried in their order, each with a head start before the next, and the first to get through is taken (RFC 8305 §5).</summary>
internal static class StaggeredRace
{
    /// <summary>Starts the next way when the one before has failed or had its head start; those still under way when one is through are given up.</summary>
    /// <param name="attempt">Fails with <see cref="CarrierException"/>; when it is given up it may get through all the same.</param>
    /// <param name="discard">Of what got through too late.</param>
    /// <returns>What got through first, or else the problem that tells most: a refusal, or the first. Both are null without any ways.</returns>
    public static async Task<(T? Won, CarrierException? Problem)> RunAsync<TWay, T>(
        IReadOnlyList<TWay> ways, TimeSpan headStart, Func<TWay, CancellationToken, Task<T>> attempt, Func<T, ValueTask> discard, TimeProvider time, CancellationToken cancellationToken)
        where T : class
    {
        CarrierException? problem = null;
        var running = new List<Task<T>>();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            for (var next = 0; next < ways.Count || running.Count > 0;)
            {
                if (next < ways.Count)
                {
                    running.Add(attempt(ways[next++], enough.Token));
                }

                // With a way still to start, waiting ends with its head start.
                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await Task.WhenAny([.. running, Task.Delay(next < ways.Count ? headStart : Timeout.InfiniteTimeSpan, time, waiting.Token)]);
                await waiting.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
                while (running.Find(task => task.IsCompleted) is { } done)
                {
                    running.Remove(done);
                    try
                    {
                        return (await done, null);
                    }
                    catch (CarrierException e)
                    {
                        // A refusal says more than a port that is closed.
                        problem = problem is null || (e.Refused && !problem.Refused) ? e : problem;
                    }
                }
            }

            return (null, problem);
        }
        finally
        {
            await enough.CancelAsync();
            foreach (var late in running)
            {
                try
                {
                    await discard(await late);
                }
                catch (Exception e) when (e is CarrierException or OperationCanceledException)
                {
                    // Given up, as it was told, or it failed by itself: there is nothing to discard.
                }
            }
        }
    }
}
