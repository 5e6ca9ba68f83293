using System.Diagnostics;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tunnel.Dial;
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
        Way found;
        try
        {
            found = await RaceAsync(_carriers.Current, HeadStartAfter(_lookNow ? 0 : backoff.Failures, _options.HeadStart), _stop.Token);
        }
        catch (CarrierException e)
        {
            return e;
        }
        finally
        {
            _lookNow = false;
        }

        backoff.Reset();
        return await WatchAsync(found.Carrier, found.Trip);
    }

    /// <exception cref="CarrierException">None of them answered.</exception>
    private async Task<Way> RaceAsync(IReadOnlyList<ICarrier> carriers, TimeSpan headStart, CancellationToken cancellationToken)
    {
        var (won, problem) = await StaggeredRace.RunAsync(carriers, headStart, AttemptAsync, Discard, _time, cancellationToken);
        return won ?? throw problem ?? new CarrierException(
            new ErrorInfo(ErrorCategory.NotConnected, "no-endpoint", "The space has no endpoint to connect to", null, "Join again with a new token."), refused: true);

        static ValueTask Discard(Way late)
        {
            late.Carrier.Leave(lost: false);
            return ValueTask.CompletedTask;
        }
    }

    internal static TimeSpan HeadStartAfter(int failures, TimeSpan first)
    {
        var doubled = first * Math.Pow(2, Math.Min(failures, 10));
        return doubled < LongestHeadStart ? doubled : LongestHeadStart;
    }

    private async Task<Way> AttemptAsync(ICarrier carrier, CancellationToken cancellationToken)
    {
        try
        {
            var trip = await PingAsync(carrier, _options.ConnectTimeout, cancellationToken);
            _carriers.Remember(carrier, null);
            return new Way(carrier, trip);
        }
        catch (OperationCanceledException)
        {
            // Another way won; nothing is known of this one.
            carrier.Leave(lost: false);
            throw;
        }
        catch (CarrierException e)
        {
            _carriers.Remember(carrier, e.Error);
            carrier.Leave(lost: true);
            throw;
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
        Task<Way?>? looking = null;
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
    private async Task<Way?> LookAsync(IReadOnlyList<ICarrier> better, CancellationToken cancellationToken)
    {
        try
        {
            return await RaceAsync(better, LookHeadStart, cancellationToken);
        }
        catch (CarrierException e)
        {
            LogPingFailed(e.Message);
            return null;
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

    /// <summary>A carrier that answered.</summary>
    /// <param name="Trip">Of its first ping.</param>
    private sealed record Way(ICarrier Carrier, TimeSpan Trip);
}
