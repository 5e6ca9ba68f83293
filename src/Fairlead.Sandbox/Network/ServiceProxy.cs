using System.Collections.Concurrent;
using System.Threading.Channels;
using Fairlead.Linux.Namespaces;
using Fairlead.Sandbox.Objects;
using Microsoft.Extensions.Logging;

namespace Fairlead.Sandbox.Network;

/// <summary>Keeps the packet filter in step with Services and EndpointSlices: changes of 50 ms become one transaction.</summary>
internal sealed partial class ServiceProxy
{
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly ClusterNetwork network;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly ServiceIndex index;

    // Bounded by the number of services: a key waits at most once.
    private readonly ConcurrentDictionary<ObjectKey, bool> dirty = new();
    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Dictionary<ObjectKey, ServiceRules> applied = [];
    private readonly HashSet<string> chains = [];

    internal ServiceProxy(ClusterNetwork network, ServiceIndex index, TimeProvider time, ILogger logger)
    {
        this.network = network;
        this.time = time;
        this.logger = logger;
        this.index = index;
        index.Changed = Touch;
    }

    private void Touch(ObjectKey key)
    {
        dirty[key] = true;
        wake.Writer.TryWrite(true);
    }

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        await index.Synced.WaitAsync(cancellationToken);
        while (await wake.Reader.WaitToReadAsync(cancellationToken))
        {
            await Task.Delay(Batch, time, cancellationToken);
            wake.Reader.TryRead(out _);
            var keys = dirty.Keys.ToArray();
            foreach (var key in keys)
            {
                dirty.TryRemove(key, out _);
            }

            if (!await TryAsync(keys, cancellationToken))
            {
                // One bad service must not hold up the others.
                var failed = new List<ObjectKey>();
                foreach (var key in keys)
                {
                    if (!await TryAsync([key], cancellationToken))
                    {
                        failed.Add(key);
                    }
                }

                await Task.Delay(Retry, time, cancellationToken);
                failed.ForEach(Touch);
            }
        }
    }

    private async Task<bool> TryAsync(ObjectKey[] keys, CancellationToken cancellationToken)
    {
        try
        {
            await ApplyAsync(keys, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is HostToolException or IOException)
        {
            LogFailure(e.Message);
            return false;
        }
    }

    private async Task ApplyAsync(ObjectKey[] keys, CancellationToken cancellationToken)
    {
        var changes = new List<(ObjectKey Key, ServiceRules Before, ServiceRules After)>();
        foreach (var key in keys)
        {
            var after = index.Service(key) is { } service
                ? ServiceRules.Of(service, index.Slices(key), network.Layout.NodeAddress.ToString())
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
            if (after.Ports.Count > 0)
            {
                applied[key] = after;
            }
            else
            {
                applied.Remove(key);
            }
        }

        // After the rules: a packet in between would only make the same flow again.
        var stale = changes.SelectMany(c => c.Before.StaleFlows(c.After)).ToHashSet();
        if (stale.Count > 0)
        {
            LogForgotten(ConnectionTracking.Forget(network.Namespace, stale), stale.Count);
        }
    }

    [LoggerMessage(3001, LogLevel.Error, "The packet filter did not take a change, trying again: {Reason}")]
    private partial void LogFailure(string reason);

    [LoggerMessage(3002, LogLevel.Information, "Forgot {Flows} UDP flows to {Endpoints} vanished endpoints")]
    private partial void LogForgotten(int flows, int endpoints);
}
