namespace Fairlead.Tunnel.Link;

/// <summary>Exponential backoff with full jitter: each wait is anything up to a bound that doubles, so that many laptops don't dial in step.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan longest, Random? random = null)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(50);

    private readonly Random _random = random ?? Random.Shared;
    private int _attempt;

    /// <summary>Since the last success.</summary>
    public int Failures => _attempt;

    public TimeSpan Next()
    {
        var bound = Math.Min(longest.TotalMilliseconds, first.TotalMilliseconds * Math.Pow(2, Math.Min(_attempt++, 30)));
        return TimeSpan.FromMilliseconds(Math.Max(Shortest.TotalMilliseconds, _random.NextDouble() * bound));
    }

    public void Reset() => _attempt = 0;
}
