using System.Net;
using Fairlead.Contracts.Gateway;
using Microsoft.Extensions.Logging;

namespace Fairlead.Gateway.Cluster;

/// <summary>Keeps what clients are told of the cluster's subnets true.</summary>
/// <param name="readRanges">What the API server says of the addresses of Services.</param>
/// <param name="givenServices">What the admin says that they are; empty: they are found.</param>
/// <param name="givenPods">The same, of pods.</param>
internal sealed partial class NetworkKeeper(
    ClusterState cluster,
    Func<CancellationToken, Task<IReadOnlyList<IPNetwork>>> readRanges,
    IReadOnlyList<IPNetwork> givenServices,
    IReadOnlyList<IPNetwork> givenPods,
    string clusterDomain,
    IPAddress? dns,
    TimeProvider time,
    ILogger<NetworkKeeper> logger)
{
    /// <summary>Between questions to the API server: a ServiceCIDR is a rare thing to add.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <summary>Pods come in crowds; each look goes through all of them.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(500);

    private volatile TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ClusterNetwork? current;
    private IReadOnlyList<IPNetwork> found = [];

    /// <summary>Another instance whenever something changed; null until it is known.</summary>
    public ClusterNetwork? Current => current;

    /// <summary>Called after a change.</summary>
    public Action? Changed { get; set; }

    /// <summary>Somebody's addresses changed.</summary>
    public void Wake() => changed.TrySetResult();

    /// <summary>Call it once the cluster is known. Ends by cancellation.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var ranges = givenServices.Count > 0 ? [] : await readRanges(cancellationToken);
            using var interval = new CancellationTokenSource(Interval, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(interval.Token, cancellationToken);
            while (!interval.IsCancellationRequested)
            {
                var next = changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                Look(ranges);
                await next.Task.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await Task.Delay(Quiet, time, cancellationToken);
            }
        }
    }

    private void Look(IReadOnlyList<IPNetwork> ranges)
    {
        var services = givenServices.Count > 0 ? givenServices : ClusterSubnets.OfServices(ranges, cluster.Services.SelectMany(s => s.ClusterAddresses));
        found = givenPods.Count > 0 ? givenPods : ClusterSubnets.OfPods(cluster.Nodes.SelectMany(n => n.PodRanges), [.. cluster.OwnPodAddresses], found);
        var now = new ClusterNetwork([.. services.Select(s => s.ToString())], [.. found.Select(s => s.ToString())], clusterDomain, dns?.ToString());
        if (!now.ContentEquals(current))
        {
            current = now;
            LogNetwork(string.Join(", ", now.ServiceSubnets), string.Join(", ", now.PodSubnets));
            Changed?.Invoke();
        }
    }

    [LoggerMessage(1141, LogLevel.Information, "services have addresses in {Services}, pods in {Pods}")]
    private partial void LogNetwork(string services, string pods);
}
