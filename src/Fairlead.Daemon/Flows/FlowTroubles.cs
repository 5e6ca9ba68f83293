using System.Collections.Concurrent;
using Fairlead.Tunnel;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Daemon.Flows;

/// <param name="Unopened">Flows that could not be opened for want of an answer.</param>
/// <param name="Silent">Flows that were closed or reset by the far side after it was sent something, before a byte came back.</param>
internal sealed record FlowTrouble(FlowTarget Target, int Unopened, int Silent);

/// <summary>What went wrong lately with a space's TCP flows, by target, for <c>fairlead doctor</c>. A target that answers once is forgotten.</summary>
internal sealed class FlowTroubles(TimeProvider time)
{
    /// <summary>For as long it is worth telling.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(10);

    /// <summary>Far more than doctor shows; beyond it the oldest goes.</summary>
    private const int MaxTargets = 64;

    private readonly ConcurrentDictionary<FlowTarget, Entry> entries = new();

    public void Refused(FlowTarget target, FlowFailure failure)
    {
        if (failure is FlowFailure.TimedOut or FlowFailure.Unreachable or FlowFailure.ConnectionRefused)
        {
            Add(target, unopened: 1, silent: 0);
        }
    }

    public void Ended(FlowTarget target, RelayEnding ending)
    {
        if (ending.BytesToSocket > 0)
        {
            entries.TryRemove(target, out _);
        }
        else if (ending.BytesFromSocket > 0 && (ending.Reason == RelayEnd.Completed || ending is { Reason: RelayEnd.FlowReset, Failure: FlowFailure.Reset }))
        {
            Add(target, unopened: 0, silent: 1);
        }
    }

    /// <summary>The latest first.</summary>
    public IReadOnlyList<FlowTrouble> Recent() =>
        [.. entries.Where(e => time.GetElapsedTime(e.Value.Last) < Window).OrderByDescending(e => e.Value.Last).Select(e => new FlowTrouble(e.Key, e.Value.Unopened, e.Value.Silent))];

    private void Add(FlowTarget target, int unopened, int silent)
    {
        var now = time.GetTimestamp();
        entries.AddOrUpdate(
            target,
            _ => new Entry(unopened, silent, now),
            (_, known) => time.GetElapsedTime(known.Last) < Window ? new Entry(known.Unopened + unopened, known.Silent + silent, now) : new Entry(unopened, silent, now));
        while (entries.Count > MaxTargets && entries.MinBy(e => e.Value.Last) is { Key: { } oldest })
        {
            entries.TryRemove(oldest, out _);
        }
    }

    private sealed record Entry(int Unopened, int Silent, long Last);
}
