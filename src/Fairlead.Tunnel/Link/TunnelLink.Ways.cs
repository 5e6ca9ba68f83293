using System.Diagnostics;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>Which way the link takes: several are tried at a time, each with a head start before the next best (as RFC 8305), and better ones again later.</summary>
public sealed partial class TunnelLink
{
    /// <summary>A better way that only lost the race shows itself soon; one that is shut costs little to try now and then.</summary>
    private static readonly TimeSpan FirstLook = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RarestLook = TimeSpan.FromSeconds(60);

    /// <summary>Of the head start, which doubles with each round in which no way answered: then haste only makes more work for a gateway that is busy already.</summary>
    private static readonly TimeSpan LongestHeadStart = TimeSpan.FromSeconds(1);

    /// <summary>Of a way that is looked at, before the next one.</summary>
    private static readonly TimeSpan LookHeadStart = TimeSpan.FromSeconds(1);

    private volatile bool _lookNow;

    private IEnumerable<ICarrier> MakeCarriers(GatewayEndpoint endpoint)
    {
        if (endpoint.DataPort > 0)
        {
            yield return new DirectLinkCarrier(endpoint, _options.Tls, _options.Direct, _options.Proxy, _logger, _time);
        }

        yield return new SharedLinkCarrier(new WebSocketLaneDialer(endpoint, _options.Proxy), _options.Tls, _logger, _time);
    }

    private SharedLinkCarrier? MakeLast() => _options.Pods is { } pods
        ? new SharedLinkCarrier(new PortForwardLaneDialer(pods, _options.PodNames, _options.PodPort, _options.PodDataPort, _time), _options.Tls, _logger, _time)
        : null;

    /// <summary>Connects by the first way that answers, and stays until no way of it does.</summary>
    /// <returns>Why there is no link (any more).</returns>
    private async Task<CarrierException> ConnectAsync(Backoff backoff)
    {
        CarrierException problem;
        (ICarrier Carrier, TimeSpan Trip)? found;
        try
        {
            (found, problem) = await RaceAsync(_carriers.Current, HeadStartAfter(_lookNow ? 0 : backoff.Failures, _options.HeadStart), _stop.Token);
        }
        finally
        {
            _lookNow = false;
        }

        if (found is not { } way)
        {
            return problem;
        }

        backoff.Reset();
        return await WatchAsync(way.Carrier, way.Trip);
    }

    /// <summary>Starts the ways in order, the next one when the last has failed or had its head start; the first to answer wins, the others are given up.</summary>
    private async Task<((ICarrier Carrier, TimeSpan Trip)? Found, CarrierException Problem)> RaceAsync(
        IReadOnlyList<ICarrier> carriers, TimeSpan headStart, CancellationToken cancellationToken)
    {
        var problem = new CarrierException(new ErrorInfo(ErrorCategory.NotConnected, "no-endpoint", "The space has no endpoint to connect to", null, "Join again with a new token."), refused: true);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = new List<Task<Attempt>>();
        var first = true;
        var next = 0;
        Attempt? won = null;
        try
        {
            while (won is null && (next < carriers.Count || running.Count > 0))
            {
                if (next < carriers.Count)
                {
                    running.Add(AttemptAsync(carriers[next++], _options.ConnectTimeout, enough.Token));
                }

                // With a way still to start, waiting ends with its head start.
                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var over = Task.Delay(next < carriers.Count ? headStart : Timeout.InfiniteTimeSpan, _time, waiting.Token);
                await Task.WhenAny([.. running, over]);
                await waiting.CancelAsync();
                cancellationToken.ThrowIfCancellationRequested();
                foreach (var done in running.Where(r => r.IsCompleted).ToArray())
                {
                    running.Remove(done);
                    var attempt = await done;
                    if (attempt.Problem is null && won is null)
                    {
                        won = attempt;
                    }
                    else if (attempt.Problem is null)
                    {
                        attempt.Carrier.Leave(lost: false);
                    }
                    else if (first || (attempt.Problem.Refused && !problem.Refused))
                    {
                        // A refusal says more than a port that is closed.
                        problem = attempt.Problem;
                        first = false;
                    }
                }
            }
        }
        finally
        {
            await enough.CancelAsync();
            foreach (var late in await Task.WhenAll(running))
            {
                late.Carrier.Leave(lost: false);
            }
        }

        return (won is { } winner ? (winner.Carrier, winner.Trip) : null, problem);
    }

    internal static TimeSpan HeadStartAfter(int failures, TimeSpan first)
    {
        var doubled = first * Math.Pow(2, Math.Min(failures, 10));
        return doubled < LongestHeadStart ? doubled : LongestHeadStart;
    }

    private async Task<Attempt> AttemptAsync(ICarrier carrier, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            var trip = await PingAsync(carrier, limit, cancellationToken);
            _carriers.Remember(carrier, null);
            return new Attempt(carrier, trip, null);
        }
        catch (OperationCanceledException)
        {
            // Another way won; nothing is known of this one.
            carrier.Leave(lost: false);
            return new Attempt(carrier, default, new CarrierException(LinkProblems.NotYet, refused: false));
        }
        catch (CarrierException e)
        {
            _carriers.Remember(carrier, e.Error);
            carrier.Leave(lost: true);
            return new Attempt(carrier, default, e);
        }
    }

    /// <summary>Pings until the path is silent for too long or the gateway refuses; meanwhile looks for a better way.</summary>
    private async Task<CarrierException> WatchAsync(ICarrier carrier, TimeSpan smoothed)
    {
        Use(carrier, smoothed);
        var patience = _options.HeartbeatTimeout - _options.HeartbeatInterval;
        var heard = _time.GetTimestamp();
        var lookInterval = FirstLook;
        var looked = heard;
        Task<(ICarrier Carrier, TimeSpan Trip)?>? looking = null;
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            while (true)
            {
                await Task.Delay(_options.HeartbeatInterval, _time, _stop.Token);
                if (looking is { IsCompleted: true })
                {
                    if (await looking is { } better)
                    {
                        // Flows that are open stay where they are.
                        var before = carrier;
                        (carrier, smoothed, lookInterval) = (better.Carrier, better.Trip, FirstLook);
                        Use(carrier, smoothed);
                        before.Leave(lost: false);
                        heard = _time.GetTimestamp();
                    }
                    else
                    {
                        Tell(carrier, smoothed, changed: true);
                    }

                    (looking, looked) = (null, _time.GetTimestamp());
                }
                else if (looking is null && (_lookNow || _time.GetElapsedTime(looked) > lookInterval) && _carriers.BetterThan(carrier) is { Count: > 0 } better)
                {
                    lookInterval = _lookNow ? FirstLook : lookInterval * 2 < RarestLook ? lookInterval * 2 : RarestLook;
                    _lookNow = false;
                    looking = LookAsync(better, gone.Token);
                }

                try
                {
                    // RFC 6298 §2: an eighth of each new sample.
                    smoothed += (await PingAsync(carrier, patience, _stop.Token) - smoothed) / 8;
                    heard = _time.GetTimestamp();
                    Tell(carrier, smoothed, changed: false);
                }
                catch (CarrierException e) when (!e.Refused && _time.GetElapsedTime(heard) < _options.HeartbeatTimeout && !IsTimeout(e))
                {
                    // The ping's own connection ended: a replica that restarts, a proxy that tires. The next one dials anew, perhaps another replica.
                    LogPingFailed(e.Message);
                }
                catch (CarrierException e)
                {
                    _carriers.Remember(carrier, e.Error);
                    carrier.Leave(lost: true);
                    return e;
                }
            }
        }
        finally
        {
            await gone.CancelAsync();
            if (looking is not null && await looking is { } unused)
            {
                unused.Carrier.Leave(lost: false);
            }
        }
    }

    /// <summary>
    /// There is a link, and no hurry; but a cluster has an endpoint for each node, and where all are shut, one after the other would take minutes in which one
    /// that opens is not seen.
    /// </summary>
    /// <returns>Null when none of them answers.</returns>
    private async Task<(ICarrier Carrier, TimeSpan Trip)?> LookAsync(IReadOnlyList<ICarrier> better, CancellationToken cancellationToken)
    {
        try
        {
            var (found, problem) = await RaceAsync(better, LookHeadStart, cancellationToken);
            if (found is null)
            {
                LogPingFailed(problem.Message);
            }

            return found;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private void Use(ICarrier carrier, TimeSpan trip)
    {
        Set(LinkState.Connected, carrier, null, trip);
        LogUp(carrier.Name, carrier.Where, trip.TotalMilliseconds);
        carrier.Warm();
    }

    /// <summary>Of a link that stays up.</summary>
    private void Tell(ICarrier carrier, TimeSpan trip, bool changed)
    {
        if (changed || !carrier.Replicas.Order().SequenceEqual(_status.Replicas.Order()))
        {
            Set(LinkState.Connected, carrier, null, trip);
        }
        else
        {
            _status = _status with { RoundTrip = trip };
        }
    }

    private async Task<TimeSpan> PingAsync(ICarrier carrier, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, _time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        try
        {
            await carrier.PingAsync(deadline.Token);
            return Stopwatch.GetElapsedTime(started);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw LinkProblems.Of(e, carrier.Where);
        }
    }

    private static bool IsTimeout(CarrierException e) => e.InnerException is OperationCanceledException;

    /// <param name="Problem">Null: it answered.</param>
    private sealed record Attempt(ICarrier Carrier, TimeSpan Trip, CarrierException? Problem);
}
