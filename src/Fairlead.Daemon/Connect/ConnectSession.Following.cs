using Fairlead.Contracts.Errors;
using Fairlead.Daemon.Spaces;
using Fairlead.Platform;

namespace Fairlead.Daemon.Connect;

/// <summary>What keeps a connection in step with what changes around it. Each task ends by cancellation, without an exception.</summary>
internal sealed partial class ConnectSession
{
    /// <summary>From one round of names to the next, so that a burst of services costs few.</summary>
    private static readonly TimeSpan NamesInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Asks for a new plan. The first cause of those that come together is told, rather than what became of our own device.</summary>
    private void Request(string why, bool ownDevice = false)
    {
        Interlocked.CompareExchange(ref ownDevice ? ref deviceCause : ref cause, why, "");
        wanted.Pulse();
    }

    private Task FollowHostAsync() => UntilStoppedAsync(async cancellationToken =>
    {
        await foreach (var change in routes.WatchAsync(cancellationToken))
        {
            Request(change.Cause, ownDevice: change.Device != 0 && change.Device == capture?.Device.Index);
        }
    });

    /// <summary>The cluster's subnets, the options, the ways to the gateway; of all else that changes only names are concerned.</summary>
    private Task FollowSpaceAsync() => UntilStoppedAsync(async cancellationToken =>
    {
        var last = InputsOf(source.Space);
        for (var seen = spaces.Changed.Version; ; seen = spaces.Changed.Version)
        {
            namesWanted.Pulse();
            var now = InputsOf(source.Space);
            if (now.Network != last.Network)
            {
                Request("the cluster's subnets changed");
            }
            else if (now.Options != last.Options)
            {
                Request("an option changed");
            }
            else if (now.Carriers != last.Carriers)
            {
                Request("the way to the gateway changed");
            }

            last = now;
            await spaces.Changed.WaitAsync(seen, cancellationToken);
        }
    });

    private (string Network, Plan.WishOptions Options, string Carriers) InputsOf(Space space) => (
        space.Network is { } network ? string.Join(',', [.. network.ServiceSubnets, "|", .. network.PodSubnets]) : "",
        source.Options(),
        string.Join(',', CarrierAddresses.Hosts(space).Select(one => one.Host).Distinct().Order(StringComparer.Ordinal)));

    private Task FollowNamesAsync() => UntilStoppedAsync(async cancellationToken =>
    {
        for (var seen = namesWanted.Version; ; seen = namesWanted.Version)
        {
            await PublishAsync(cancellationToken);
            await namesWanted.WaitAsync(seen, cancellationToken);
            await Task.Delay(NamesInterval, time, cancellationToken);
        }
    });

    private Task FollowDeviceAsync() => UntilStoppedAsync(async cancellationToken =>
    {
        while (true)
        {
            var reason = await capture!.Lost.WaitAsync(cancellationToken);
            LogLost(reason?.Message ?? "it was closed");
            await gate.WaitAsync(cancellationToken);
            try
            {
                await CloseDeviceAsync();
                await ReopenAsync(cancellationToken);
            }
            finally
            {
                gate.Release();
            }

            Request("our device was deleted and made anew");
        }
    });

    private async Task ReopenAsync(CancellationToken cancellationToken)
    {
        while (capture is null)
        {
            try
            {
                await OpenDeviceAsync(cancellationToken);
            }
            catch (HostException e)
            {
                Report(e);
                await Task.Delay(RetryInterval, time, cancellationToken);
            }
        }
    }

    /// <summary>Makes the plan anew whenever it is asked for, after a time of quiet, and again a while after the host refused a change.</summary>
    private Task KeepInStepAsync() => UntilStoppedAsync(async cancellationToken =>
    {
        Interlocked.Exchange(ref cause, "");
        Interlocked.Exchange(ref deviceCause, "");
        var refused = false;
        for (var seen = 0L; ;)
        {
            if (await IsWantedAsync(seen, refused ? RetryInterval : Timeout.InfiniteTimeSpan, cancellationToken))
            {
                seen = await WaitForQuietAsync(cancellationToken);
            }

            var ofDevice = Interlocked.Exchange(ref deviceCause, "");
            var why = Interlocked.Exchange(ref cause, "") is { Length: > 0 } told ? told : ofDevice;
            refused = await StepAsync(why.Length == 0 ? "checked again" : why, cancellationToken);
        }
    });

    /// <returns>Whether the host refused it.</returns>
    private async Task<bool> StepAsync(string why, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            await ApplyAsync(request, why, strict: false, cancellationToken);
            return false;
        }
        catch (HostException e)
        {
            Report(e);
            return true;
        }
        catch (FairleadException e)
        {
            // Wishes that no longer fit the cluster, or a gateway that no longer tells its subnets: what was planned last stays.
            Problem = e.Error;
            LogNotInStep(e.Message);
            changed.Pulse();
            return false;
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<bool> IsWantedAsync(long seen, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            await wanted.WaitAsync(seen, cancellationToken).WaitAsync(timeout, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<long> WaitForQuietAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            var seen = wanted.Version;
            try
            {
                await wanted.WaitAsync(seen, cancellationToken).WaitAsync(Quiet, time, cancellationToken);
            }
            catch (TimeoutException)
            {
                return seen;
            }

            if (time.GetElapsedTime(began) >= LongestWait)
            {
                return wanted.Version;
            }
        }
    }

    private void Report(HostException e)
    {
        Problem = new ErrorInfo(ErrorCategory.Failed, "host", "This host refuses a change that the connection needs", e.Message, e.Hint ?? "Run 'fairlead doctor'.");
        LogNotInStep(e.Message);
        changed.Pulse();
    }

    /// <summary>Begins anew a while after the host refused something.</summary>
    private async Task UntilStoppedAsync(Func<CancellationToken, Task> run)
    {
        await Task.Yield();
        try
        {
            while (true)
            {
                try
                {
                    await run(stopping.Token);
                }
                catch (HostException e)
                {
                    Report(e);
                    await Task.Delay(RetryInterval, time, stopping.Token);
                    Request("tried again");
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return;
        }
    }
}
