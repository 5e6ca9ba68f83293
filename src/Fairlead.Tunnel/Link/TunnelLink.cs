using System.Net.NetworkInformation;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Gateway;
using Fairlead.Contracts.Local;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// The laptop's link to one space: picks a way to the gateway (<c>TunnelLink.Ways.cs</c>), keeps a heartbeat on the data path, redials with backoff, and
/// lets opens wait for it. Flows that are open survive a short loss of the link: only their own connection's end ends them.
/// </summary>
public sealed partial class TunnelLink : IFlowOpener, IAsyncDisposable
{
    /// <summary>Between attempts while refused: a denial may be taken back, a certificate renewed elsewhere.</summary>
    private static readonly TimeSpan RefusedInterval = TimeSpan.FromMinutes(5);

    /// <summary>From an open that found the path broken to the next try; doubled each time.</summary>
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);

    private readonly TunnelLinkOptions _options;
    private readonly CarrierSet _carriers;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask;
    private ICarrier? _carrier;
    private TaskCompletionSource _changedState = NewSignal();
    private TaskCompletionSource _wake = NewSignal();
    private volatile LinkStatus _status;

    public TunnelLink(TunnelLinkOptions options, ILogger<TunnelLink> logger, TimeProvider? time = null)
        : this(options, logger, time ?? TimeProvider.System, carriers: null)
    {
    }

    /// <param name="carriers">For tests; null makes real ones.</param>
    internal TunnelLink(TunnelLinkOptions options, ILogger<TunnelLink> logger, TimeProvider time, Func<GatewayEndpoint, IEnumerable<ICarrier>>? carriers)
    {
        _options = options;
        _logger = logger;
        _time = time;
        _carriers = new CarrierSet(options.Endpoints, carriers ?? MakeCarriers, MakeLast());
        _carriers.Expect(options.PodNames);
        _status = new LinkStatus(LinkState.Connecting, time.GetUtcNow(), null, null, null, null, _carriers.Describe(null), []);
        Api = new HttpClient(new ApiHandler(this))
        {
            BaseAddress = new Uri($"https://{options.Tls.ServerName}"),
            DefaultRequestVersion = System.Net.HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,

            // The catalog is an answer without end; callers pass their own deadlines.
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>The state now; replaced as a whole.</summary>
    public LinkStatus Status => _status;

    /// <summary>Raised after <see cref="Status"/> changed (not for each round trip), in order, on a background thread; must not block.</summary>
#pragma warning disable MA0046 // a callback, not a UI event: there is nothing to say about the sender
    public event Action<LinkStatus>? Changed;
#pragma warning restore MA0046

    /// <summary>
    /// The gateway's API (paths of <c>GatewayApi</c> are relative to its base address), over the carrier in use, with the current certificate.
    /// Has no timeout of its own. Owned by the link. A failure to connect is a <see cref="FairleadException"/> inside the <see cref="HttpRequestException"/>.
    /// </summary>
    public HttpClient Api { get; }

    /// <summary>Begins to connect, in the background, until disposed.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Tries again now, also when <c>Refused</c>: after a new certificate, new endpoints, a wake from sleep.</summary>
    public void Redial()
    {
        lock (_lock)
        {
            _wake.TrySetResult();
        }
    }

    /// <summary>Takes over the pods that the gateway told: there are new ones to connect to, or old ones leave.</summary>
    public void SetPods(IReadOnlyList<string> pods) => _carriers.Expect(pods);

    /// <summary>Takes over the endpoints that the gateway told; connections in use stay.</summary>
    public void SetEndpoints(IReadOnlyList<GatewayEndpoint> endpoints)
    {
        if (_carriers.SetEndpoints(endpoints))
        {
            Redial();
        }
    }

    /// <summary>Waits until the link is connected.</summary>
    /// <exception cref="FairleadException">The gateway refuses us: waiting is of no use.</exception>
    public async Task WaitUntilConnectedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var signal = Signal(out var status, out _);
            switch (status.State)
            {
                case LinkState.Connected:
                    return;
                case LinkState.Refused:
                    throw new FairleadException(status.Problem!);
                default:
                    await signal.WaitAsync(cancellationToken);
                    break;
            }
        }
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) =>
        OpenAsync(static (carrier, what, token) => carrier.OpenAsync(what.Target, what.Early, token), (Target: target, Early: early), cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        OpenAsync(static (carrier, target, token) => carrier.OpenDatagramsAsync(target, token), target, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        Api.Dispose();
        await _carriers.DisposeAsync();
        _stop.Dispose();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async ValueTask<FlowOpening<T>> OpenAsync<T, TWhat>(Func<ICarrier, TWhat, CancellationToken, ValueTask<FlowOpening<T>>> open, TWhat what, CancellationToken cancellationToken)
        where T : class
    {
        using var timeout = new CancellationTokenSource(_options.OpenTimeout, _time);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken, _stop.Token);
        FlowRefusal? broken = null;
        var asked = false;
        try
        {
            for (var pause = FirstRetry; ; pause *= 2)
            {
                var signal = Signal(out var status, out var carrier);
                if (status.State == LinkState.Refused)
                {
                    return new FlowOpening<T>(null, new FlowRefusal(status.Problem!.Category == ErrorCategory.Denied ? FlowFailure.Denied : FlowFailure.LinkDown, LinkProblems.Sentence(status.Problem)));
                }

                if (carrier is null)
                {
                    asked = false;
                    pause = FirstRetry;
                    await signal.WaitAsync(deadline.Token);
                    continue;
                }

                asked = true;
                var opening = await open(carrier, what, deadline.Token);
                if (opening.Refusal is not { Failure: FlowFailure.LinkDown or FlowFailure.Draining })
                {
                    return opening;
                }

                // The path broke and the heartbeat hasn't seen it yet, or this replica goes away: until the deadline there may be another.
                broken = opening.Refusal;
                await Task.Delay(pause, _time, deadline.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FlowOpening<T>(null, asked && broken is null
                ? new FlowRefusal(FlowFailure.TimedOut, $"The gateway did not answer within {_options.OpenTimeout.TotalSeconds:0} s.")
                : new FlowRefusal(FlowFailure.LinkDown, _status.Problem is { } problem ? LinkProblems.Sentence(problem) : broken?.Message ?? "The link is not up."));
        }
    }

    /// <summary>A cable, a network or a route came or went: a better way may be there now, and where there is none, the next attempt needn't wait.</summary>
    internal void OnNetworkChanged()
    {
        _lookNow = true;
        if (_status.State == LinkState.Disconnected)
        {
            Redial();
        }
    }

    private void OnAddressChanged(object? sender, EventArgs e) => OnNetworkChanged();

    private void OnAvailabilityChanged(object? sender, NetworkAvailabilityEventArgs e) => OnNetworkChanged();

    private async Task RunAsync()
    {
        var backoff = new Backoff(_options.FirstRedial, _options.LongestRedial);
        NetworkChange.NetworkAddressChanged += OnAddressChanged;
        NetworkChange.NetworkAvailabilityChanged += OnAvailabilityChanged;
        try
        {
            while (true)
            {
                var problem = await ConnectAsync(backoff);
                var refused = problem.Refused;
                Set(refused ? LinkState.Refused : LinkState.Disconnected, null, problem.Error, null);
                LogDown(problem.Message, problem.Error.Why);
                await PauseAsync(refused ? RefusedInterval : backoff.Next());
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            Set(LinkState.Disconnected, null, LinkProblems.Stopped, null);
        }
        finally
        {
            NetworkChange.NetworkAddressChanged -= OnAddressChanged;
            NetworkChange.NetworkAvailabilityChanged -= OnAvailabilityChanged;
        }
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        Task wake;
        lock (_lock)
        {
            wake = _wake.Task;
        }

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        await Task.WhenAny(wake, Task.Delay(pause, _time, enough.Token));
        await enough.CancelAsync();
        _stop.Token.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (_wake.Task.IsCompleted)
            {
                _wake = NewSignal();
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        while (true)
        {
            _ = Signal(out var status, out var carrier);
            try
            {
                return carrier is null
                    ? throw new FairleadException(status.Problem ?? LinkProblems.NotYet)
                    : await carrier.SendAsync(request, cancellationToken);
            }
            catch (CarrierException e) when (e.Error == LinkProblems.Left && carrier != InUse)
            {
                // It was left before the request went by it.
            }
            catch (CarrierException e)
            {
                throw new HttpRequestException(e.Message, new FairleadException(e.Error, e));
            }
            catch (FairleadException e)
            {
                throw new HttpRequestException(e.Message, e);
            }
        }
    }

    private ICarrier? InUse
    {
        get
        {
            _ = Signal(out _, out var carrier);
            return carrier;
        }
    }

    private Task Signal(out LinkStatus status, out ICarrier? carrier)
    {
        lock (_lock)
        {
            status = _status;
            carrier = _carrier;
            return _changedState.Task;
        }
    }

    private void Set(LinkState state, ICarrier? carrier, ErrorInfo? problem, TimeSpan? trip)
    {
        TaskCompletionSource before;
        LinkStatus status;
        lock (_lock)
        {
            var since = state == _status.State ? _status.Since : _time.GetUtcNow();
            status = _status = new LinkStatus(state, since, problem, carrier?.Name, carrier?.Where, trip, _carriers.Describe(carrier), carrier?.Replicas ?? []);
            _carrier = carrier;
            before = _changedState;
            _changedState = NewSignal();
        }

        before.SetResult();
        try
        {
            Changed?.Invoke(status);
        }
        catch (Exception e)
        {
            LogListenerFailed(e);
        }
    }

    /// <summary>The gateway's API over whatever carrier is in use at that moment.</summary>
    private sealed class ApiHandler(TunnelLink link) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => link.SendAsync(request, cancellationToken);
    }

    [LoggerMessage(EventId = 301, Level = LogLevel.Information, Message = "Connected by {Carrier} to {Where}, round trip {Milliseconds:F1} ms")]
    private partial void LogUp(string carrier, string where, double milliseconds);

    [LoggerMessage(EventId = 302, Level = LogLevel.Warning, Message = "Not connected: {Problem} ({Why})")]
    private partial void LogDown(string problem, string? why);

    [LoggerMessage(EventId = 303, Level = LogLevel.Debug, Message = "A heartbeat failed and is repeated: {Why}")]
    private partial void LogPingFailed(string why);

    [LoggerMessage(EventId = 304, Level = LogLevel.Error, Message = "A listener of the link's state failed")]
    private partial void LogListenerFailed(Exception e);
}
