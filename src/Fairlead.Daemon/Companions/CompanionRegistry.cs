using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Microsoft.Extensions.Logging;

namespace Fairlead.Daemon.Companions;

/// <summary>The companions that are connected, one of each uid: a newer one takes the place of the older.</summary>
internal sealed partial class CompanionRegistry(TimeProvider time, ILogger<CompanionRegistry> logger) : ICompanions
{
    /// <summary>An upgrade through an API server takes a round trip or two, an exec plugin that logs in some seconds.</summary>
    internal static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Somebody may have to approve it.</summary>
    internal static readonly TimeSpan EnrolTimeout = TimeSpan.FromSeconds(60);

    /// <summary>From the start of a companion's process to its connection.</summary>
    internal static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Between looks whether a companion is needed; two in a row that say no end it.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<uint, CompanionControl> connected = [];

    public Signal Changed { get; } = new();

    public int? PidOf(uint uid) => connected.TryGetValue(uid, out var control) ? control.Pid : null;

    public async Task<CompanionCarrier> OpenAsync(uint uid, OpenCarrier wanted, CancellationToken cancellationToken)
    {
        var control = connected.GetValueOrDefault(uid) ?? throw Missing(uid);
        return await WithinAsync(OpenTimeout, token => control.OpenAsync(wanted, token), cancellationToken);
    }

    public async Task<ClusterEnrolled> EnrolAsync(uint uid, ClusterEnrolment wanted, CancellationToken cancellationToken)
    {
        var control = await WaitAsync(uid, cancellationToken);
        return await WithinAsync(EnrolTimeout, token => control.EnrolAsync(wanted, token), cancellationToken);
    }

    /// <summary>Serves a control connection until it ends.</summary>
    /// <param name="needed">Whether anything of this uid needs a companion.</param>
    public async Task ServeAsync(uint uid, int pid, Stream stream, Func<bool> needed, CancellationToken cancellationToken)
    {
        using var control = new CompanionControl(pid, stream);
        CompanionControl? older = null;
        connected.AddOrUpdate(uid, control, (_, known) =>
        {
            older = known;
            return control;
        });
        LogCame(uid, pid);
        Changed.Pulse();
        if (older is not null)
        {
            await older.DismissAsync("another companion took its place", cancellationToken);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var looking = DismissWhenIdleAsync(control, needed, stop.Token);
        try
        {
            await control.RunAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            LogBroke(uid, e.Message);
        }
        finally
        {
            connected.TryRemove(KeyValuePair.Create(uid, control));
            LogWent(uid, pid);
            Changed.Pulse();
            await stop.CancelAsync();
            await looking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A carrier connection of this uid has arrived.</summary>
    /// <returns>False when nobody waits for it.</returns>
    public bool TryAccept(uint uid, long id, CompanionCarrier carrier) => connected.TryGetValue(uid, out var control) && control.TryAccept(id, carrier);

    private static FairleadException Missing(uint uid) => new(
        ErrorCategory.NotConnected, "companion-missing", "Your kubeconfig is out of reach", $"no companion of uid {uid} runs, and only it may read the kubeconfig", "Any fairlead command of that user starts it: 'fairlead status'.");

    private async Task<CompanionControl> WaitAsync(uint uid, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(StartTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            while (true)
            {
                var seen = Changed.Version;
                if (connected.TryGetValue(uid, out var control))
                {
                    return control;
                }

                await Changed.WaitAsync(seen, either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Missing(uid);
        }
    }

    private async Task<T> WithinAsync<T>(TimeSpan limit, Func<CancellationToken, Task<T>> action, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await action(either.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FairleadException(
                ErrorCategory.TimedOut, "companion-timeout", "The companion did not answer in time", $"{limit.TotalSeconds:0} s have passed", "See its log, companion.log below ~/.local/state/fairlead.", e);
        }
    }

    private async Task DismissWhenIdleAsync(CompanionControl control, Func<bool> needed, CancellationToken cancellationToken)
    {
        for (var idle = 0; idle < 2; idle = control.IsIdle && !needed() ? idle + 1 : 0)
        {
            await Task.Delay(LookInterval, time, cancellationToken);
        }

        await control.DismissAsync("no space needs it", cancellationToken);
    }

    [LoggerMessage(3501, LogLevel.Information, "The companion of uid {Uid} connected (pid {Pid})")]
    private partial void LogCame(uint uid, int pid);

    [LoggerMessage(3502, LogLevel.Information, "The companion of uid {Uid} went (pid {Pid})")]
    private partial void LogWent(uint uid, int pid);

    [LoggerMessage(3503, LogLevel.Warning, "The companion of uid {Uid} broke off: {Reason}")]
    private partial void LogBroke(uint uid, string reason);
}
