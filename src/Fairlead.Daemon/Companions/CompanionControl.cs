using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;

namespace Fairlead.Daemon.Companions;

/// <summary>The control connection of one companion: asks, matches answers and carriers with what was asked. Thread-safe.</summary>
internal sealed class CompanionControl(int pid, Stream stream) : IDisposable
{
    private readonly ConcurrentDictionary<long, TaskCompletionSource<CompanionAnswer>> answers = [];
    private readonly ConcurrentDictionary<long, TaskCompletionSource<CompanionCarrier>> carriers = [];
    private readonly SemaphoreSlim writer = new(1, 1);
    private long lastId;
    private volatile bool ended;

    public int Pid => pid;

    public bool IsIdle => answers.IsEmpty && carriers.IsEmpty;

    /// <summary>Takes answers until the connection ends; whatever is unanswered then fails.</summary>
    /// <exception cref="InvalidDataException">The companion says what makes no sense.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var answer in JsonLines.ReadAsync(stream, CompanionJson.Default.CompanionAnswer, CompanionApi.MaxLine, cancellationToken))
            {
                // What nobody waits for any more is of no use.
                if (answers.TryRemove(answer.Id, out var waiting))
                {
                    waiting.TrySetResult(answer);
                }
            }
        }
        finally
        {
            ended = true;
            foreach (var id in answers.Keys)
            {
                if (answers.TryRemove(id, out var waiting))
                {
                    waiting.TrySetException(Lost());
                }
            }
        }
    }

    /// <exception cref="FairleadException"/>
    public async Task<ClusterEnrolled> EnrolAsync(ClusterEnrolment wanted, CancellationToken cancellationToken)
    {
        var (id, answer) = Expect();
        try
        {
            await SendAsync(new CompanionRequest(id, Enrol: wanted), cancellationToken);
            return (await answer.WaitAsync(cancellationToken)) switch
            {
                { Error: { } error } => throw new FairleadException(error),
                { Enrolled: { } enrolled } => enrolled,
                _ => throw NotUnderstood(),
            };
        }
        finally
        {
            answers.TryRemove(id, out _);
        }
    }

    /// <exception cref="FairleadException"/>
    public async Task<CompanionCarrier> OpenAsync(OpenCarrier wanted, CancellationToken cancellationToken)
    {
        var (id, answer) = Expect();
        var carrier = new TaskCompletionSource<CompanionCarrier>(TaskCreationOptions.RunContinuationsAsynchronously);
        carriers[id] = carrier;
        try
        {
            await SendAsync(new CompanionRequest(id, Open: wanted), cancellationToken);
            await Task.WhenAny(carrier.Task, answer).WaitAsync(cancellationToken);
            if (!carrier.Task.IsCompleted)
            {
                throw await answer is { Error: { } error } ? new FairleadException(error) : NotUnderstood();
            }

            return await carrier.Task;
        }
        finally
        {
            answers.TryRemove(id, out _);
            carriers.TryRemove(id, out _);
            if (!carrier.TrySetCanceled(CancellationToken.None) && cancellationToken.IsCancellationRequested)
            {
                // It came when nobody waited any more.
                await (await carrier.Task).Stream.DisposeAsync();
            }
        }
    }

    /// <summary>A carrier connection has arrived.</summary>
    /// <returns>False when nobody waits for it.</returns>
    public bool TryAccept(long id, CompanionCarrier carrier) => carriers.TryRemove(id, out var waiting) && waiting.TrySetResult(carrier);

    public async Task DismissAsync(string reason, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(new CompanionRequest(0, Dismiss: new Dismissal(reason)), cancellationToken);
        }
        catch (FairleadException)
        {
            // It is gone already.
        }
    }

    public void Dispose() => writer.Dispose();

    public static FairleadException Lost(Exception? inner = null) => new(
        ErrorCategory.NotConnected, "companion-lost", "The companion ended before it answered", "it was killed, or another one took its place", "Any fairlead command starts it again: 'fairlead status'.", inner);

    private static FairleadException NotUnderstood() => new(
        ErrorCategory.Failed, "companion-version", "The companion's answer makes no sense", "it is probably of another version", "Compare 'fairlead version' with the daemon's ('fairlead status').");

    private (long Id, Task<CompanionAnswer> Answer) Expect()
    {
        if (answers.Count >= CompanionApi.MaxPending)
        {
            throw new FairleadException(ErrorCategory.Failed, "companion-busy", "The companion has too much to do", $"{CompanionApi.MaxPending} requests are not answered yet", "See the companion's log.");
        }

        var id = Interlocked.Increment(ref lastId);
        var waiting = new TaskCompletionSource<CompanionAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        answers[id] = waiting;
        if (ended)
        {
            // The end may have passed over it.
            answers.TryRemove(id, out _);
            throw Lost();
        }

        return (id, waiting.Task);
    }

    private async Task SendAsync(CompanionRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await writer.WaitAsync(cancellationToken);
            try
            {
                await JsonLines.WriteAsync(stream, request, CompanionJson.Default.CompanionRequest, cancellationToken);
            }
            finally
            {
                writer.Release();
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // Also what was disposed in the meantime.
            throw Lost(e);
        }
    }
}
