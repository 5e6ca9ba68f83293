using System.Collections.Frozen;
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
/// <param name="States">By space.</param>
/// <param name="Problem">What keeps all of it from working, such as a hosts file that can't be written.</param>
internal sealed record ConsumeSnapshot(IReadOnlyDictionary<string, ConsumeState> States, ErrorInfo? Problem)
{
    public static readonly ConsumeSnapshot Nothing = new(new Dictionary<string, ConsumeState>(), null);
}

/// <summary>
/// Brings the host in step with rules and catalogs: names, addresses, capture, hosts file. One pass at a time; a pass begins at once when the
/// last one is long enough ago, so that a burst of changes costs few passes and few writes of the hosts file.
/// </summary>
internal sealed partial class ConsumePipeline(
    SpaceRegistry spaces,
    AddressBook book,
    ILoopbackCapture capture,
    HostsResolver hosts,
    TimeProvider time,
    ILogger<ConsumePipeline> logger)
{
    /// <summary>From the start of one pass to the start of the next.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>After a failure of the host; nothing tells us when a file system becomes writable again.</summary>
    internal static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(30);

    private readonly Signal requested = new();
    private readonly Signal completed = new();
    private long appliedRequest = -1;
    private long savedVersion;
    private volatile ConsumeSnapshot snapshot = ConsumeSnapshot.Nothing;
    private volatile FrozenDictionary<IPAddress, Route> routes = FrozenDictionary<IPAddress, Route>.Empty;

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
        if (snapshot.Problem is null)
        {
            await requested.WaitAsync(request, cancellationToken);
            return;
        }

        try
        {
            await requested.WaitAsync(request, cancellationToken).WaitAsync(RetryInterval, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            LogRetry();
        }
    }

    private async Task PassAsync(CancellationToken cancellationToken)
    {
        var planned = spaces.Plan();
        book.Keep(planned.Select(space => space.Key).ToHashSet());
        var selection = ConsumeSelection.Create(planned);
        var addresses = book.Assign([.. selection.Hosts.Select(host => host.Key)], await FindTakenAsync(selection, cancellationToken), Today());
        var problem = SaveAddresses();
        var plan = new ConsumePlan(selection, addresses);

        // First where flows lead, then that they are taken, then the names that lead them there.
        routes = plan.Routes().ToFrozenDictionary();
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

        var outcome = await hosts.ApplyAsync(plan, cancellationToken);
        snapshot = new ConsumeSnapshot(
            planned.ToDictionary(space => space.Key, space => plan.Describe(space, outcome.Foreign, failures)),
            problem ?? outcome.Problem);
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
            taken.UnionWith((await hosts.ReadForeignAsync(new HashSet<string>(), cancellationToken)).Addresses);
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
