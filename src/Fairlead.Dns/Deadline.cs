namespace Fairlead.Dns;

/// <summary>A token that is cancelled when the time is over or when the outer token is.</summary>
internal sealed class Deadline : IDisposable
{
    private readonly CancellationTokenSource timeout;
    private readonly CancellationTokenSource either;

    public Deadline(TimeSpan after, TimeProvider time, CancellationToken outer)
    {
        timeout = new CancellationTokenSource(after, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, outer);
    }

    public CancellationToken Token => either.Token;

    public bool IsOver => timeout.IsCancellationRequested;

    public void Dispose()
    {
        either.Dispose();
        timeout.Dispose();
    }
}
