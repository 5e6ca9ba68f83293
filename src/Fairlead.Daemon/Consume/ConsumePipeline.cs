using System.Net;
using System.Net.NetworkInformation;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Daemon.Names;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Consume;

/// <summary>What is in force.</summary>
/// <param name="Foreign">What others have in the hosts file.</param>
/// <param name="Failures">What could not be captured.</param>
/// <param name="Problem">What keeps all of it from working, such as a hosts file that can't be written.</param>
internal sealed record ConsumeSnapshot(IReadOnlyList<PlanSpace> Spaces, ConsumePlan Plan, ForeignHosts Foreign, IReadOnlyList<CaptureFailure> Failures, ErrorInfo? Problem)
{
    public static readonly ConsumeSnapshot Nothing = new([], ConsumePlan.Nothing, ForeignHosts.None, [], null);

    /// <summary>What people are told of a space; null before the first pass that knows it. Made when asked for, because it is large.</summary>
    public ConsumeState? Describe(string space) =>
        Spaces.FirstOrDefault(planned => planned.Key == space) is { } known ? Plan.Describe(known, Foreign, Failures) : null;

    /// <summary>Services of the space that are consumed; the pods of a StatefulSet, which have addresses of their own, are no services.</summary>
    public int Count(string space) => Plan.Selection.Hosts.Where(host => host.Key.Space == space).DistinctBy(host => (host.Service.Namespace, host.Service.Name)).Count();
}

/// <summary>
/// Brings the host in step with rules and catalogs: names, addresses, capture, hosts file. One pass at a time; a pass begins at once when the
/// last one is long enough ago, so that a burst of changes costs few passes and few writes of the hosts file.
/// </summary>
internal sealed partial class ConsumePipeline(
    SpaceRegistry spaces,
    AddressBook book,
    ILoopbackCapture capture,
    ConsumeNames names,
    TimeProvider time,
    ILogger<ConsumePipeline> logger)
{
    /// <summary>From the start of one pass to the start of the next.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>After a failure of the host; nothing tells us when a file system becomes writable or a port free again.</summary>
    internal static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(30);

    /// <summary>Quiet time after which a burst is over.</summary>
    private static readonly TimeSpan BurstEnd = TimeSpan.FromSeconds(2);

    /// <summary>From as many addresses on, a burst leaves tens of megabytes of garbage that nothing would collect for hours.</summary>
    private const int LargePlan = 1000;

    /// <summary>A collection stops flows for some ten milliseconds.</summary>
    private static readonly TimeSpan CollectInterval = TimeSpan.FromMinutes(1);

    private readonly Signal requested = new();
    private readonly Signal completed = new();
    private long appliedRequest = -1;
    private long savedVersion;
    private long? lastCollected;
    private volatile ConsumeSnapshot snapshot = ConsumeSnapshot.Nothing;
    private volatile Dictionary<IPAddress, Route> routes = []; // replaced as a whole, never changed

    public ConsumeSnapshot Snapshot => snapshot;

    /// <summary>Pulsed after each pass.</summary>
    public Signal Applied => completed;

    public Route? FindRoute(IPAddress address) => routes.GetValueOrDefault(address);

    /// <summary>Asks for a pass, soon.</summary>
    public void Request() => requested.Pulse();

    /// <summary>Asks for a pass and waits until one that began afterwards is through.</summary>
    public async Task<ConsumeSnapshot> ApplyAsync(CancellationToken cancellationToken)
    {
        requested.Pulse();
        var mine = requested.Version;
        for (var seen = completed.Version; Volatile.Read(ref appliedRequest) < mine; seen = completed.Version)
        {
            await completed.WaitAsync(seen, cancellationToken);
        }

        return snapshot;
    }

    /// <summary>Runs passes until cancelled; ends without an exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var started = time.GetTimestamp();
                var request = requested.Version;
                await PassAsync(cancellationToken);
                Volatile.Write(ref appliedRequest, request);
                completed.Pulse();
                await WaitForWorkAsync(request, cancellationToken);
                var rest = Interval - time.GetElapsedTime(started);
                if (rest > TimeSpan.Zero)
                {
                    await Task.Delay(rest, time, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
    }

    private async Task WaitForWorkAsync(long request, CancellationToken cancellationToken)
    {
        if (await IsRequestedAsync(request, BurstEnd, cancellationToken))
        {
            return;
        }

        HandBackMemory();
        if (!await IsRequestedAsync(request, MayHeal(snapshot) ? RetryInterval : Timeout.InfiniteTimeSpan, cancellationToken))
        {
            LogRetry();
        }
    }

    /// <summary>Ports that another program holds come free when it ends; what a way of capture can't do stays so.</summary>
    private static bool MayHeal(ConsumeSnapshot snapshot) => snapshot.Problem is not null || snapshot.Failures.Any(failure => failure.HolderPid is not null);

    private async Task<bool> IsRequestedAsync(long request, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await requested.WaitAsync(request, cancellationToken).WaitAsync(timeout, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>An idle daemon allocates nothing, so no collection would come by itself.</summary>
    private void HandBackMemory()
    {
        if (snapshot.Plan.Selection.Hosts.Count < LargePlan || (lastCollected is { } last && time.GetElapsedTime(last) < CollectInterval))
        {
            return;
        }

        lastCollected = time.GetTimestamp();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private async Task PassAsync(CancellationToken cancellationToken)
    {
        var planned = spaces.Plan();
        book.Keep(planned.Select(space => space.Key).ToHashSet());
        var selection = ConsumeSelection.Create(planned, snapshot.Plan.Selection);
        var addresses = book.Assign([.. selection.Hosts.Select(host => host.Key)], await FindTakenAsync(selection, cancellationToken), Today());
        var problem = SaveAddresses();
        var plan = new ConsumePlan(selection, addresses);

        // First where flows lead, then that they are taken, then the names that lead them there.
        routes = plan.Routes();
        IReadOnlyList<CaptureFailure> failures = [];
        try
        {
            failures = (await capture.UpdateAsync(plan.Table(), cancellationToken)).Failures;
        }
        catch (HostException e)
        {
            LogCaptureFailed(e.Message);
            problem = new ErrorInfo(ErrorCategory.Failed, "capture", "The services can't be captured", e.Message, e.Hint ?? "Run 'fairlead doctor'.");
        }

        var outcome = await names.ApplyAsync(plan, planned, cancellationToken);
        snapshot = new ConsumeSnapshot(planned, plan, outcome.Foreign, failures, problem ?? outcome.Problem);
        LogApplied(selection.Hosts.Count, failures.Count);
    }

    /// <summary>What new assignments must stay clear of; looked up only where there will be any.</summary>
    private async Task<IReadOnlySet<IPAddress>> FindTakenAsync(ConsumeSelection selection, CancellationToken cancellationToken)
    {
        var taken = new HashSet<IPAddress>();
        if (selection.Hosts.Any(host => book.Find(host.Key) is null))
        {
            var properties = IPGlobalProperties.GetIPGlobalProperties();
            taken.UnionWith(properties.GetActiveTcpListeners().Concat(properties.GetActiveUdpListeners()).Select(listener => listener.Address));
            taken.UnionWith((await names.ReadForeignAsync(new HashSet<string>(), cancellationToken)).Addresses);
        }

        return taken;
    }

    /// <summary>Before anybody can see them: an address that was seen must be the same after a restart.</summary>
    private ErrorInfo? SaveAddresses()
    {
        if (book.Version == savedVersion)
        {
            return null;
        }

        try
        {
            spaces.SaveAddresses();
            savedVersion = book.Version;
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotSaved(e.Message);
            return new ErrorInfo(ErrorCategory.Failed, "state", "The addresses of the services can't be stored", e.Message, "Make room on the disk; they may be others after a restart.");
        }
    }

    private DateOnly Today() => DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);

    [LoggerMessage(2101, LogLevel.Debug, "{Hosts} addresses are consumed, {Failures} captures failed")]
    private partial void LogApplied(int hosts, int failures);

    [LoggerMessage(2102, LogLevel.Error, "The capture refused the change: {Reason}")]
    private partial void LogCaptureFailed(string reason);

    [LoggerMessage(2103, LogLevel.Error, "The addresses can't be stored: {Reason}")]
    private partial void LogNotSaved(string reason);

    [LoggerMessage(2104, LogLevel.Debug, "Trying again what the host refused")]
    private partial void LogRetry();
}
