using System.Runtime.CompilerServices;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;
using Fairlead.Gateway.Policy;

namespace Fairlead.Gateway.Catalog;

/// <summary>One client's view of the catalog as a stream of events: only what its rights show, followed as services and rights change.</summary>
/// <param name="instance">Names this gateway process; positions of another can't be resumed here.</param>
/// <param name="rights">The client's rights now.</param>
/// <param name="settings">What the admin sets for every client; another instance when it changed.</param>
/// <param name="draining">Whether the gateway is about to end.</param>
/// <param name="reach">Where the gateway is reached, for clients that want to be told of changes of that and of their rights; null for others.</param>
/// <param name="addresses">The client wants the services' addresses, too.</param>
internal sealed class CatalogWatch(
    CatalogFeed feed,
    string instance,
    Func<Rights> rights,
    Func<IReadOnlyDictionary<string, string>> settings,
    Func<bool> draining,
    TimeProvider time,
    Func<GatewayReach>? reach = null,
    bool addresses = false)
{
    /// <summary>Often enough that a client notices a dead link, rare enough to cost nothing.</summary>
    public static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(3);

    private const int BatchSize = 256;

    /// <summary>Position of events in the middle of something that only makes sense whole: whoever comes back with it begins anew.</summary>
    private const string Nowhere = "";

    private Rights current = Rights.None;
    private IReadOnlyDictionary<string, string>? told;
    private long position;

    /// <summary>Endless. Batches are what should be sent at once.</summary>
    public async IAsyncEnumerable<IReadOnlyList<CatalogEvent>> EventsAsync(string? since, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        current = rights();
        yield return CatalogPosition.Parse(since) is { } from && from.Instance == instance && from.Rights == View && CanResume(from.Change)
            ? Resume(from.Change)
            : Restart();
        var saidDraining = false;
        var reached = reach?.Invoke();
        var shown = current.Fingerprint;
        while (true)
        {
            var next = feed.NextChange;
            var events = Collect();
            if (reach?.Invoke() is { } now && (!now.IsSame(reached!.Value) || current.Fingerprint != shown))
            {
                (reached, shown) = (now, current.Fingerprint);
                events.Add(Event(CatalogEventType.Gateway));
            }

            if (draining() && !saidDraining)
            {
                saidDraining = true;
                events.Add(Event(CatalogEventType.Draining));
            }

            if (events.Count > 0)
            {
                yield return events;
                continue;
            }

            try
            {
                await next.WaitAsync(Heartbeat, time, cancellationToken);
                continue;
            }
            catch (TimeoutException)
            {
                // Nothing happened: say so below.
            }

            yield return [Event(CatalogEventType.Heartbeat)];
        }
    }

    /// <summary>What decides which events a client gets: the other half of a position beside the change.</summary>
    private string View => addresses ? current.Fingerprint + "a" : current.Fingerprint;

    private bool CanResume(long change)
    {
        var at = change;
        return feed.Read(ref at, []) == 0;
    }

    /// <summary>Replays what came after; none of it has been read yet, so that only the end is announced.</summary>
    private List<CatalogEvent> Resume(long change)
    {
        position = change;
        var end = feed.Snapshot().Position;
        var events = new List<CatalogEvent>();
        while (position < end)
        {
            if (!TryReadChanges(events))
            {
                return Restart();
            }
        }

        events.Add(Synced());
        return events;
    }

    private List<CatalogEvent> Restart()
    {
        var snapshot = feed.Snapshot();
        position = snapshot.Position;
        var events = new List<CatalogEvent> { new(CatalogEventType.Reset, Nowhere) };
        events.AddRange(snapshot.Services.Where(s => Sees(current, s.Key)).Select(s => new CatalogEvent(CatalogEventType.Put, Nowhere, Shown(s.Value))));
        events.Add(Synced());
        return events;
    }

    /// <summary>Carries the settings too: a client that comes back may have missed a change of them, which has no position.</summary>
    private CatalogEvent Synced() => Event(CatalogEventType.Synced) with { Settings = told = settings() };

    private List<CatalogEvent> Collect()
    {
        var events = CollectServices();
        if (!ReferenceEquals(settings(), told))
        {
            events.Add(Event(CatalogEventType.Heartbeat) with { Settings = told = settings() });
        }

        return events;
    }

    private List<CatalogEvent> CollectServices()
    {
        var events = new List<CatalogEvent>();
        var now = rights();
        if (now.Fingerprint != current.Fingerprint)
        {
            // Under the old rights up to here, so that what the client knows is exactly what those showed.
            if (!TryReadAll(events))
            {
                current = now;
                return Restart();
            }

            AddDifference(events, current, now);
            return events;
        }

        return TryReadChanges(events) ? events : Restart();
    }

    private bool TryReadAll(List<CatalogEvent> events)
    {
        var end = feed.Snapshot().Position;
        while (position < end)
        {
            if (!TryReadChanges(events))
            {
                return false;
            }
        }

        return true;
    }

    private void AddDifference(List<CatalogEvent> events, Rights before, Rights now)
    {
        var snapshot = feed.Snapshot();
        if (snapshot.Position != position)
        {
            // More came in between: the next round brings it, with the rights still unequal.
            return;
        }

        current = now;
        foreach (var (key, record) in snapshot.Services)
        {
            var (saw, sees) = (Sees(before, key), Sees(now, key));
            if (saw != sees)
            {
                events.Add(sees ? new CatalogEvent(CatalogEventType.Put, Nowhere, Shown(record)) : new CatalogEvent(CatalogEventType.Delete, Nowhere, Bare(record)));
            }
        }

        // Brings the position to resume from, which is one of the new rights.
        events.Add(Event(CatalogEventType.Heartbeat));
    }

    private bool TryReadChanges(List<CatalogEvent> events)
    {
        var changes = new CatalogChange[BatchSize];
        var first = position;
        var count = feed.Read(ref position, changes);
        if (count < 0)
        {
            return false;
        }

        for (var i = 0; i < count; i++)
        {
            var change = changes[i];
            if (Sees(current, change.Key) && (addresses || !IsOfAddressesOnly(change)))
            {
                var at = new CatalogPosition(instance, View, first + i + 1).ToString();
                events.Add(change.After is not null
                    ? new CatalogEvent(CatalogEventType.Put, at, Shown(change.After))
                    : new CatalogEvent(CatalogEventType.Delete, at, Bare(change.Before!)));
            }
        }

        return true;
    }

    private bool Sees(Rights rights, ObjectKey key) => FlowPlanner.Denial(rights, key, feed.GatewayService) is null;

    private ServiceRecord Shown(ServiceRecord record) => addresses ? record : record.WithoutAddresses();

    private static bool IsOfAddressesOnly(CatalogChange change) =>
        change is { Before: { } before, After: { } after } && before.WithoutAddresses().ContentEquals(after.WithoutAddresses());

    private static ServiceRecord Bare(ServiceRecord record) => record.WithoutAddresses() with { Ports = [], Endpoints = [] };

    private CatalogEvent Event(CatalogEventType type) => new(type, new CatalogPosition(instance, View, position).ToString());
}
