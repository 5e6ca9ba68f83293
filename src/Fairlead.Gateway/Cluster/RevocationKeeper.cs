using System.Text.Json.Nodes;
using System.Threading.Channels;
using Fairlead.Contracts.Cluster;
using Fairlead.Kubernetes;
using Fairlead.Kubernetes.Models;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>
/// Sees to it that the ConfigMap of revocations is there, and puts back what it said when somebody deletes it: taking single entries out of it is how a
/// revocation is undone, deleting it is an accident. A gateway has made it before it says anything of its space, so that a later one that misses it knows.
/// </summary>
internal sealed partial class RevocationKeeper(KubernetesClient client, ILogger logger)
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    private readonly string own = client.Connection.Namespace;
    private readonly Lock gate = new();

    /// <summary>Holds one word at most: that there is something to do.</summary>
    private readonly Channel<bool> work = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private Dictionary<string, string> lost = [];

    /// <summary>The ConfigMap with this content was deleted. What it said stays in force, and is put back soon.</summary>
    public void Restore(IReadOnlyDictionary<string, string> data)
    {
        lock (gate)
        {
            lost = Union(data, lost);
        }

        work.Writer.TryWrite(true);
    }

    /// <summary>With what is still to be put back.</summary>
    public IReadOnlyDictionary<string, string> Complete(IReadOnlyDictionary<string, string> data)
    {
        lock (gate)
        {
            return lost.Count == 0 ? data : Union(data, lost);
        }
    }

    /// <summary>Makes the ConfigMap where there is none, and says so where there must have been one.</summary>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        try
        {
            var known = await client.GetAsync(Resources.ConfigMaps, own, ClusterObjects.SpaceConfigMap, cancellationToken) is not null;
            if (await client.GetAsync(Resources.ConfigMaps, own, ClusterObjects.RevocationsConfigMap, cancellationToken) is not null)
            {
                return;
            }

            if (known)
            {
                LogMissing();
            }

            await WriteAsync([], cancellationToken);
        }
        catch (KubernetesException e)
        {
            LogFailed(e.Message);
        }
    }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await work.Reader.ReadAsync(cancellationToken);
            Dictionary<string, string> data;
            lock (gate)
            {
                data = lost;
            }

            try
            {
                LogRestored(await WriteAsync(data, cancellationToken));
                Forget(data);
            }
            catch (KubernetesException e)
            {
                LogFailed(e.Message);
                await Task.Delay(RetryInterval, cancellationToken);
                work.Writer.TryWrite(true);
            }
        }
    }

    /// <summary>It is put back; what was lost since is not.</summary>
    private void Forget(Dictionary<string, string> data)
    {
        lock (gate)
        {
            if (ReferenceEquals(lost, data))
            {
                lost = [];
            }
        }
    }

    /// <returns>How many entries were written.</returns>
    private async Task<int> WriteAsync(Dictionary<string, string> data, CancellationToken cancellationToken)
    {
        var map = new ConfigMap
        {
            Metadata = { Namespace = own, Name = ClusterObjects.RevocationsConfigMap, Labels = new() { [ClusterObjects.ManagedByLabel] = ClusterObjects.Gateway } },
            Data = new(data),
        };
        try
        {
            await client.CreateAsync(Resources.ConfigMaps, map, cancellationToken);
            return data.Count;
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Another replica was faster, or an admin who revokes somebody just now.
            return await AddMissingAsync(data, cancellationToken);
        }
    }

    private async Task<int> AddMissingAsync(Dictionary<string, string> data, CancellationToken cancellationToken)
    {
        var map = await client.GetAsync(Resources.ConfigMaps, own, ClusterObjects.RevocationsConfigMap, cancellationToken);
        var missing = data.Where(entry => map?.Data.ContainsKey(entry.Key) != true).ToArray();
        if (missing.Length > 0)
        {
            var change = new JsonObject { ["data"] = new JsonObject(missing.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value))) };
            await client.PatchAsync(Resources.ConfigMaps, own, ClusterObjects.RevocationsConfigMap, Patch.Merge(change), cancellationToken);
        }

        return missing.Length;
    }

    private static Dictionary<string, string> Union(IReadOnlyDictionary<string, string> newer, Dictionary<string, string> older)
    {
        var union = new Dictionary<string, string>(older);
        foreach (var (key, value) in newer)
        {
            union[key] = value;
        }

        return union;
    }

    [LoggerMessage(1105, LogLevel.Warning, "the ConfigMap of revocations was deleted; {Count} of its entries are put back")]
    private partial void LogRestored(int count);

    [LoggerMessage(1106, LogLevel.Warning, "the ConfigMap of revocations was deleted while no gateway ran; whoever was revoked within the last day is to be revoked again")]
    private partial void LogMissing();

    [LoggerMessage(1107, LogLevel.Warning, "the ConfigMap of revocations could not be written: {Error}")]
    private partial void LogFailed(string error);
}
