using Fairlead.Contracts.Errors;

namespace Fairlead.Gateway.Identity;

/// <summary>
/// Slows down whoever keeps failing to enrol, per source address and per invite: after <see cref="FreeFailures"/> each failure doubles the
/// wait. The secrets are far too long to guess; this bounds the load on the API server. Success clears the invite, not the source.
/// </summary>
internal sealed class EnrolmentLimiter(TimeProvider time)
{
    /// <summary>Several people may share a source, as behind a NodePort or a proxy.</summary>
    public const int FreeFailures = 8;

    /// <summary>Bounds memory; the entries that may go soonest make room.</summary>
    private const int MaxEntries = 4096;

    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Forget = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, Entry> entries = [];
    private readonly Lock gate = new();

    private sealed record Entry(int Failures, DateTimeOffset Last, DateTimeOffset NotBefore);

    /// <exception cref="FairleadException"><c>too-many-attempts</c>.</exception>
    public void Check(params ReadOnlySpan<string> keys)
    {
        var now = time.GetUtcNow();
        lock (gate)
        {
            foreach (var key in keys)
            {
                if (entries.TryGetValue(key, out var entry) && now < entry.NotBefore)
                {
                    var wait = (int)Math.Ceiling((entry.NotBefore - now).TotalSeconds);
                    throw new FairleadException(
                        ErrorCategory.Denied, "too-many-attempts", "Too many failed attempts to join", $"the next one is taken in {wait} s", $"Wait {wait} s, then try again.");
                }
            }
        }
    }

    public void Failed(params ReadOnlySpan<string> keys)
    {
        var now = time.GetUtcNow();
        lock (gate)
        {
            foreach (var key in keys)
            {
                var failures = entries.TryGetValue(key, out var old) && now - old.Last < Forget ? old.Failures + 1 : 1;
                var doublings = Math.Min(failures - FreeFailures, 6);
                var wait = doublings < 0 ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Min(FirstWait.Ticks << doublings, LongestWait.Ticks));
                if (entries.Count >= MaxEntries && !entries.ContainsKey(key))
                {
                    MakeRoom(now);
                }

                entries[key] = new Entry(failures, now, now + wait);
            }
        }
    }

    public void Succeeded(string invite)
    {
        lock (gate)
        {
            entries.Remove(invite);
        }
    }

    private void MakeRoom(DateTimeOffset now)
    {
        foreach (var (key, _) in entries.Where(e => now - e.Value.Last >= Forget).ToList())
        {
            entries.Remove(key);
        }

        if (entries.Count >= MaxEntries)
        {
            foreach (var (key, _) in entries.OrderBy(e => e.Value.NotBefore).ThenBy(e => e.Value.Last).Take(MaxEntries / 4).ToList())
            {
                entries.Remove(key);
            }
        }
    }
}
