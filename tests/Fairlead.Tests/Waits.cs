namespace Fairlead.Tests;

/// <summary>How tests wait for what happens on other threads: generously, as only a test that fails waits long, on a machine that may be busy with others.</summary>
internal static class Waits
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Cancelled when <see cref="Limit"/> has passed from now: a new token at each use.</summary>
    public static CancellationToken Soon => new CancellationTokenSource(Limit).Token;

    /// <summary>For what can't be awaited.</summary>
    /// <exception cref="OperationCanceledException">It did not come to hold within <see cref="Limit"/>.</exception>
    public static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    /// <inheritdoc cref="UntilAsync(Func{bool})"/>
    public static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var patience = Soon; !await condition();)
        {
            await Task.Delay(2, patience);
        }
    }
}
