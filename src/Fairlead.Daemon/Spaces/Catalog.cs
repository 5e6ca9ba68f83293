using Fairlead.Contracts.Gateway;

namespace Fairlead.Daemon.Spaces;

/// <summary>The services of a space as the gateway last told them. A reset is taken over only when it is complete, so that nothing flickers. Thread-safe.</summary>
internal sealed class Catalog
{
    /// <summary>Far above the largest clusters; a gateway that tells more is broken.</summary>
    internal const int MaxServices = 50_000;

    /// <summary>Ports, endpoint names and addresses of one service; a line of the watch could hold many more.</summary>
    internal const int MaxParts = 10_000;

    /// <summary>Ports, endpoint names and addresses of all services together.</summary>
    internal const int MaxAllParts = 500_000;

    private readonly Lock gate = new();
    private Dictionary<(string Namespace, string Name), ServiceRecord> services = [];
    private Dictionary<(string Namespace, string Name), ServiceRecord>? incoming;
    private IReadOnlyCollection<ServiceRecord>? snapshot;
    private bool synced;
    private long version;
    private int parts; // of the table that is being written

    /// <summary>Where to resume; null at the beginning.</summary>
    public string? Position { get; private set; }

    /// <summary>Counts the changes of <see cref="Snapshot"/>.</summary>
    public long Version
    {
        get
        {
            lock (gate)
            {
                return version;
            }
        }
    }

    public int Count
    {
        get
        {
            lock (gate)
            {
                return services.Count;
            }
        }
    }

    /// <summary>All services; null until they were told for the first time.</summary>
    public IReadOnlyCollection<ServiceRecord>? Snapshot
    {
        get
        {
            lock (gate)
            {
                return synced ? snapshot ??= [.. services.Values] : null;
            }
        }
    }

    /// <summary>What an earlier run of the daemon was told. It holds until the gateway tells everything anew.</summary>
    /// <exception cref="InvalidDataException">No gateway could have told this.</exception>
    public static Catalog Restore(IEnumerable<ServiceRecord> services)
    {
        var catalog = new Catalog();
        foreach (var service in services)
        {
            catalog.Put(service);
        }

        catalog.synced = true;
        return catalog;
    }

    /// <returns>Whether <see cref="Snapshot"/> changed.</returns>
    /// <exception cref="InvalidDataException">The event makes no sense; the watch must begin anew.</exception>
    public bool Apply(CatalogEvent change)
    {
        lock (gate)
        {
            var changed = false;
            switch (change.Type)
            {
                case CatalogEventType.Reset:
                    incoming = [];
                    parts = 0;
                    break;
                case CatalogEventType.Put:
                    changed = Put(change.Service ?? throw new InvalidDataException("A catalog event has no service."));
                    break;
                case CatalogEventType.Delete:
                    changed = Delete(change.Service ?? throw new InvalidDataException("A catalog event has no service."));
                    break;
                case CatalogEventType.Synced:
                    changed = Complete();
                    break;
            }

            if (changed)
            {
                snapshot = null;
                version++;
            }

            // A position inside a reset is of no use: what came before it would be missing.
            if (incoming is null)
            {
                Position = change.Position;
            }

            return changed;
        }
    }

    /// <summary>The stream broke: a reset that was under way is void.</summary>
    public void Interrupt()
    {
        lock (gate)
        {
            DropIncoming();
        }
    }

    /// <summary>Asks for everything again.</summary>
    public void ForgetPosition()
    {
        lock (gate)
        {
            DropIncoming();
            Position = null;
        }
    }

    private void DropIncoming()
    {
        incoming = null;
        parts = services.Values.Sum(PartsOf);
    }

    private bool Put(ServiceRecord service)
    {
        // A null within a list passes the reader of JSON.
        if (service is null || service.Ports.Any(port => port is null) || service.Endpoints.Any(name => name is null)
            || AddressesOf(service).Any(address => address is null))
        {
            throw new InvalidDataException("A service of the catalog has a part that is null.");
        }

        var target = incoming ?? services;
        var key = (service.Namespace, service.Name);
        if (target.TryGetValue(key, out var known) && known.ContentEquals(service))
        {
            return false;
        }

        if (target.Count >= MaxServices && known is null)
        {
            throw new InvalidDataException($"The gateway tells more than {MaxServices} services.");
        }

        if (PartsOf(service) > MaxParts || (parts += PartsOf(service) - (known is null ? 0 : PartsOf(known))) > MaxAllParts)
        {
            throw new InvalidDataException($"The gateway tells services with more than {MaxParts} ports, endpoints and addresses, or {MaxAllParts} in all.");
        }

        target[key] = service;
        return incoming is null && synced;
    }

    private bool Delete(ServiceRecord service)
    {
        if (!(incoming ?? services).Remove((service.Namespace, service.Name), out var known))
        {
            return false;
        }

        parts -= PartsOf(known);
        return incoming is null && synced;
    }

    private static int PartsOf(ServiceRecord service) => service.Ports.Count + service.Endpoints.Count + AddressesOf(service).Count();

    private static IEnumerable<string?> AddressesOf(ServiceRecord service) =>
        (service.Addresses ?? []).Concat((service.EndpointAddresses?.Values ?? []).SelectMany(addresses => addresses ?? [null!]));

    private bool Complete()
    {
        if (incoming is null)
        {
            var first = !synced;
            synced = true;
            return first;
        }

        var same = synced && incoming.Count == services.Count
            && incoming.All(pair => services.TryGetValue(pair.Key, out var known) && known.ContentEquals(pair.Value));
        services = incoming;
        incoming = null;
        synced = true;
        return !same;
    }
}
