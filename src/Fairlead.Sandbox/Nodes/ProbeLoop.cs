using System.Text.Json.Nodes;
using Fairlead.Sandbox.ApiServer;
using Fairlead.Sandbox.Objects;

namespace Fairlead.Sandbox.Nodes;

/// <summary>Counts the results of one probe against its thresholds; pure.</summary>
internal sealed class ProbeCounter(int failureThreshold, int successThreshold, bool initial)
{
    private int same;

    internal bool Healthy { get; private set; } = initial;

    /// <summary>Takes in one result; true when a threshold of results in a row was reached (again).</summary>
    internal bool Add(bool success)
    {
        same = (success, same) switch
        {
            (true, > 0) => same + 1,
            (true, _) => 1,
            (false, < 0) => same - 1,
            _ => -1,
        };
        if (same < successThreshold && -same < failureThreshold)
        {
            return false;
        }

        Healthy = success;
        return true;
    }
}

/// <summary>Runs the probes of one running container: startup first, then liveness and readiness side by side.</summary>
internal sealed class ProbeLoop(JsonObject container, Prober prober, TimeProvider time)
{
    private static readonly TimeSpan WhileNotReady = TimeSpan.FromMilliseconds(500);

    /// <summary>The startup probe succeeded, or there is none.</summary>
    internal Action Started { get; init; } = () => { };

    internal Action<bool> Ready { get; init; } = _ => { };

    /// <summary>Kind of the probe and what it saw: the container has to be restarted.</summary>
    internal Func<string, string, Task> Failed { get; init; } = (_, _) => Task.CompletedTask;

    /// <summary>Kind of the probe and what it saw, each time.</summary>
    internal Action<string, string> Unhealthy { get; init; } = (_, _) => { };

    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        if (container.At("startupProbe") is JsonObject startup && !await UntilStartedAsync(startup, cancellationToken))
        {
            return;
        }

        Started();
        await Task.WhenAll(LivenessAsync(cancellationToken), ReadinessAsync(cancellationToken));
    }

    private async Task<bool> UntilStartedAsync(JsonObject probe, CancellationToken cancellationToken)
    {
        var counter = Counter(probe, initial: false);
        await DelayAsync(probe, cancellationToken);
        while (true)
        {
            var failure = await OnceAsync("Startup", probe, cancellationToken);
            if (counter.Add(failure is null))
            {
                if (counter.Healthy)
                {
                    return true;
                }

                await Failed("startup", failure!);
                return false;
            }

            await PeriodAsync(probe, cancellationToken);
        }
    }

    private async Task LivenessAsync(CancellationToken cancellationToken)
    {
        if (container.At("livenessProbe") is not JsonObject probe)
        {
            return;
        }

        var counter = Counter(probe, initial: true);
        await DelayAsync(probe, cancellationToken);
        while (true)
        {
            var failure = await OnceAsync("Liveness", probe, cancellationToken);
            if (counter.Add(failure is null) && !counter.Healthy)
            {
                await Failed("liveness", failure!);
                return;
            }

            await PeriodAsync(probe, cancellationToken);
        }
    }

    private async Task ReadinessAsync(CancellationToken cancellationToken)
    {
        if (container.At("readinessProbe") is not JsonObject probe)
        {
            Ready(true);
            return;
        }

        var counter = Counter(probe, initial: false);
        await DelayAsync(probe, cancellationToken);
        while (true)
        {
            if (counter.Add(await OnceAsync("Readiness", probe, cancellationToken) is null))
            {
                Ready(counter.Healthy);
            }

            // A container that is not ready yet is asked more often than its period says, so that clusters come up quickly.
            await (counter.Healthy ? PeriodAsync(probe, cancellationToken) : Task.Delay(WhileNotReady, time, cancellationToken));
        }
    }

    private async Task<string?> OnceAsync(string kind, JsonObject probe, CancellationToken cancellationToken)
    {
        var failure = (await prober.RunAsync(container, probe, cancellationToken)).Failure;
        if (failure is not null)
        {
            Unhealthy(kind, failure);
        }

        return failure;
    }

    private static ProbeCounter Counter(JsonObject probe, bool initial) =>
        new(Math.Max(1, probe.Number("failureThreshold") ?? 3), Math.Max(1, probe.Number("successThreshold") ?? 1), initial);

    private static TimeSpan Period(JsonObject probe) => TimeSpan.FromSeconds(Math.Max(1, probe.Number("periodSeconds") ?? 10));

    private Task PeriodAsync(JsonObject probe, CancellationToken cancellationToken) => Task.Delay(Period(probe), time, cancellationToken);

    private Task DelayAsync(JsonObject probe, CancellationToken cancellationToken) =>
        Task.Delay(TimeSpan.FromSeconds(Math.Max(0, probe.Number("initialDelaySeconds") ?? 0)), time, cancellationToken);
}
