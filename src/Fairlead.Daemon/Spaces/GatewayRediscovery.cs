using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Companions;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Spaces;

/// <summary>
/// A laptop that slept while the gateway moved, or while all its pods were replaced, knows no way to it any more, and may have no right to list pods.
/// Where it joined by kubeconfig, a new request for a certificate, which needs only the API server, tells it the endpoints and pods of now.
/// </summary>
internal sealed partial class GatewayRediscovery(Space space, CertificateRenewal renewal, ICompanions companions, TimeProvider time, ILogger<GatewayRediscovery> logger)
{
    /// <summary>A replica that restarts, and a network that comes back, are reached again within it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Between requests: far below what the gateway takes for a flood (thirty in an hour).</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <summary>Ends by cancellation only, without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        long? downSince = null, asked = null;
        try
        {
            while (true)
            {
                var (seen, seenCompanions) = (space.Changed.Version, companions.Changed.Version);
                downSince = space.Link.Status.State is LinkState.Connecting or LinkState.Disconnected ? downSince ?? time.GetTimestamp() : null;
                var wait = Timeout.InfiniteTimeSpan;
                if (downSince is { } since && space.Record.Cluster is { } cluster && companions.PidOf(space.Record.Owner) is not null)
                {
                    wait = Left(since, Patience) is var patience && asked is { } last && Left(last, Interval) is var pause && pause > patience ? pause : patience;
                    if (wait == TimeSpan.Zero)
                    {
                        asked = time.GetTimestamp();
                        await AskAsync(cluster, cancellationToken);
                        continue;
                    }
                }

                using var woken = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await await Task.WhenAny(
                    Task.Delay(wait, time, woken.Token), space.Changed.WaitAsync(seen, woken.Token), companions.Changed.WaitAsync(seenCompanions, woken.Token));
                await woken.CancelAsync();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
    }

    /// <summary>Timers drop what is less than a millisecond: waiting for that would be no wait, again and again.</summary>
    private TimeSpan Left(long from, TimeSpan duration) => duration - time.GetElapsedTime(from) is { TotalMilliseconds: >= 1 } left ? left : TimeSpan.Zero;

    private async Task AskAsync(ClusterAccess cluster, CancellationToken cancellationToken)
    {
        try
        {
            await renewal.RenewByKubeconfigAsync(cluster, cancellationToken);
            LogFound(space.Record.Name, string.Join(", ", space.Record.Pods?.Names ?? []));
        }
        catch (FairleadException e)
        {
            // The link says what keeps it down; that the cluster can't be asked either is no news to a person.
            LogNotFound(space.Record.Name, e.Message, e.Error.Why);
        }
    }

    [LoggerMessage(3601, LogLevel.Information, "The gateway of space {Space} was asked for anew by kubeconfig, as it could not be reached; its pods are {Pods}")]
    private partial void LogFound(string space, string pods);

    [LoggerMessage(3602, LogLevel.Information, "The gateway of space {Space} can't be reached and can't be asked for by kubeconfig: {Reason} ({Why})")]
    private partial void LogNotFound(string space, string reason, string? why);
}
