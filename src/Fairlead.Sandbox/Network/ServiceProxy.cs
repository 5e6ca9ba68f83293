using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fairlead.Linux.Namespaces;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Network;

/// <summary>Keeps the packet filter in step with Services and EndpointSlices: changes of 50 ms become one transaction.</summary>
internal sealed partial class ServiceProxy
{
    private const string ServiceLabel = "kubernetes.io/service-name";
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly ClusterNetwork network;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly ObjectCache services;
    private readonly ObjectCache slices;

    // Bounded by the number of services: a key waits at most once.
    private readonly ConcurrentDictionary<ObjectKey, bool> dirty = new();
    private readonly ConcurrentDictionary<ObjectKey, ConcurrentDictionary<string, JsonObject>> slicesOf = new();
    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<ObjectKey, ServiceRules> applied = [];
    private readonly HashSet<string> chains = [];

    internal ServiceProxy(ClusterNetwork network, IObjectStore store, TimeProvider time, ILogger logger)
    {
        this.network = network;
        this.time = time;
        this.logger = logger;
        services = new ObjectCache(store, Kinds.Services, (_, service) => Touch(service.Key()));
        slices = new ObjectCache(store, Kinds.EndpointSlices, OnSlice);
    }

    internal Task RunAsync(CancellationToken cancellationToken) =>
        TaskGroup.RunAsync(cancellationToken, services.RunAsync, slices.RunAsync, ApplyAsync);

    private void OnSlice(WatchEventType type, JsonObject slice)
    {
        if (slice.Text("metadata", "labels", ServiceLabel) is not { } name)
        {
            return;
        }

        var key = new ObjectKey(slice.Namespace(), name);
        var known = slicesOf.GetOrAdd(key, _ => new ConcurrentDictionary<string, JsonObject>());
        if (type == WatchEventType.Deleted)
        {
            known.TryRemove(slice.Name(), out _);
        }
        else
        {
            known[slice.Name()] = slice;
        }

        Touch(key);
    }

    private void Touch(ObjectKey key)
    {
        dirty[key] = true;
        wake.Writer.TryWrite(true);
    }

    private async Task ApplyAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(services.Synced, slices.Synced).WaitAsync(cancellationToken);
        while (await wake.Reader.WaitToReadAsync(cancellationToken))
        {
            await Task.Delay(Batch, time, cancellationToken);
            wake.Reader.TryRead(out _);
            var keys = dirty.Keys.ToArray();
            foreach (var key in keys)
            {
                dirty.TryRemove(key, out _);
            }

            try
            {
                await ApplyAsync(keys, cancellationToken);
            }
            catch (HostToolException e)
            {
                LogFailure(e.Message);
                await Task.Delay(Retry, time, cancellationToken);
                Array.ForEach(keys, Touch);
            }
        }
    }

    private async Task ApplyAsync(ObjectKey[] keys, CancellationToken cancellationToken)
    {
        var changes = new List<(ObjectKey Key, ServiceRules Before, ServiceRules After)>();
        foreach (var key in keys)
        {
            var after = services.Get(key) is { } service
                ? ServiceRules.Of(service, slicesOf.TryGetValue(key, out var known) ? known.Values : [], network.Layout.NodeAddress.ToString())
                : ServiceRules.None;
            changes.Add((key, applied.GetValueOrDefault(key, ServiceRules.None), after));
        }

        var made = new HashSet<string>(chains);
        var script = Ruleset.Change(changes.Select(c => (c.Before, c.After)), made);
        if (script.Length == 0)
        {
            return;
        }

        await HostTool.NftAsync(network.Namespace, script, cancellationToken);
        chains.UnionWith(made);
        foreach (var (key, _, after) in changes)
        {
            applied[key] = after;
        }
    }

    [LoggerMessage(3001, LogLevel.Error, "The packet filter did not take a change, trying again: {Reason}")]
    private partial void LogFailure(string reason);
}
