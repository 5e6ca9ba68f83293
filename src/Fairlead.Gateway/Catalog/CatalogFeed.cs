using System.Collections.Immutable;
using System.Globalization;
using Fairlead.Contracts.Gateway;
using Fairlead.Gateway.Cluster;

namespace Fairlead.Gateway.Catalog;

/// <summary>One change: what the service was and is; null where there was or is none.</summary>
internal readonly record struct CatalogChange(ObjectKey Key, ServiceRecord? Before, ServiceRecord? After);

/// <summary>The catalog at one moment: every service and the number of the last change in it.</summary>
internal sealed record CatalogSnapshot(ImmutableDictionary<ObjectKey, ServiceRecord> Services, long Position);

/// <summary>
/// All services as records, and the latest changes in a ring that every watcher reads at its own pace: a slow one has no queue of its own,
/// it merely falls off the ring and begins anew.
/// </summary>
/// <param name="capacity">Changes that are kept; at about 200 bytes each the default is a few MB.</param>
internal sealed class CatalogFeed(ClusterState cluster, int capacity = 16384)
{
    private readonly CatalogChange[] ring = new CatalogChange[capacity];
    private readonly Lock gate = new();
    private ImmutableDictionary<ObjectKey, ServiceRecord> services = ImmutableDictionary<ObjectKey, ServiceRecord>.Empty;
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long written;

    public ObjectKey GatewayService => cluster.GatewayService;

    /// <summary>Told that a service or its endpoints changed: works out what that means for its record.</summary>
    public void Update(ObjectKey key)
    {
        lock (gate)
        {
            var before = services.GetValueOrDefault(key);
            var after = cluster.FindService(key) is { } service ? Records.Make(service, cluster.SlicesOf(key)) : null;
            if (after is null ? before is null : after.ContentEquals(before))
            {
                return;
            }

            services = after is null ? services.Remove(key) : services.SetItem(key, after);
            ring[written++ % capacity] = new CatalogChange(key, before, after);
        }

        Wake();
    }

    public CatalogSnapshot Snapshot()
    {
        lock (gate)
        {
            return new CatalogSnapshot(services, written);
        }
    }

    /// <summary>Copies changes from a position on; moves the position on.</summary>
    /// <returns>How many; −1 when the position is no longer (or not yet) in the ring.</returns>
    public int Read(ref long position, Span<CatalogChange> changes)
    {
        lock (gate)
        {
            if (position < 0 || position > written || written - position > capacity)
            {
                return -1;
            }

            var count = (int)Math.Min(written - position, changes.Length);
            for (var i = 0; i < count; i++)
            {
                changes[i] = ring[position++ % capacity];
            }

            return count;
        }
    }

    /// <summary>Completes at the next change, of services or of anything that <see cref="Wake"/> is called for. Take it before looking.</summary>
    public Task NextChange => Volatile.Read(ref changed).Task;

    /// <summary>Makes watchers look again, as when Grants changed.</summary>
    public void Wake() => Interlocked.Exchange(ref changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}

/// <summary>Where a watcher stands. It means something only to the gateway instance that gave it, and for the rights it was given under.</summary>
internal readonly record struct CatalogPosition(string Instance, string Rights, long Change)
{
    public override string ToString() => $"{Instance}-{Rights}-{Change.ToString(CultureInfo.InvariantCulture)}";

    public static CatalogPosition? Parse(string? text) =>
        text is { Length: < 200 } && text.Split('-') is [var instance, var rights, var change] && long.TryParse(change, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? new CatalogPosition(instance, rights, number)
            : null;
}
