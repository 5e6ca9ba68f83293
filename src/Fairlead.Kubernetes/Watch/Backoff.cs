namespace Fairlead.Kubernetes;

/// <summary>Growing pauses with jitter: 0.2 s doubling to 30 s, each between half and all of that, so that clients don't come back together.</summary>
internal sealed class Backoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Last = TimeSpan.FromSeconds(30);

    private int _failures;

    public TimeSpan Next()
    {
        var ceiling = First * Math.Pow(2, _failures);
        if (ceiling < Last)
        {
            _failures++;
        }
        else
        {
            ceiling = Last;
        }

        return ceiling * (0.5 + (0.5 * Random.Shared.NextDouble()));
    }

    public void Reset() => _failures = 0;
}
