using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Everything inside our own TLS on connections that are dear. TCP flows share connections; all else, and TCP where a gateway of the previous version
/// has no such connections, goes over HTTP/2.
/// </summary>
internal sealed class SharedLinkCarrier : ICarrier
{
    /// <summary>Two to each of two replicas.</summary>
    private const int Width = 4;

    /// <summary>Control and UDP are little: two, so that the loss of one costs no dial.</summary>
    private const int ApiWidth = 2;

    private readonly ILaneDialer _dialer;
    private readonly Lanes<HttpLane> _api;
    private readonly Lanes<MuxLane> _flows;

    public SharedLinkCarrier(ILaneDialer dialer, TunnelTls tls, ILogger logger, TimeProvider time)
    {
        _dialer = dialer;
        _api = new Lanes<HttpLane>(
            async (inUse, cancellationToken) => await HttpLane.ConnectAsync(await dialer.DialAsync(LanePort.Api, inUse, cancellationToken), tls, dialer.Where, cancellationToken), ApiWidth, logger, time);
        _flows = new Lanes<MuxLane>(
            async (inUse, cancellationToken) => await MuxLane.ConnectAsync(await dialer.DialAsync(LanePort.Flows, inUse, cancellationToken), tls, dialer.Where, cancellationToken), Width, logger, time);
    }

    /// <summary>Connections that flows may be opened on now.</summary>
    internal int SharedConnections => _flows.Usable.Count;

    public string Name => _dialer.Name;

    public string Where => _dialer.Where;

    public IReadOnlyCollection<string> Replicas => [.. _api.Replicas.Distinct()];

    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        await (await _api.TakeAsync(cancellationToken)).SendAsync(request, cancellationToken);

    /// <summary>
    /// Whether the gateway is there is the API's to say, and nobody waits for the connections of flows. They are made once it has answered: in a race that
    /// another way wins they would be handshakes for nothing.
    /// </summary>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        await _api.PingAsync(cancellationToken);
        _flows.Keep();
    }

    public void Expect(IReadOnlyList<string> pods)
    {
        _dialer.Expect(pods);
        _api.Expect(pods.Count);
        _flows.Expect(pods.Count);
    }

    public void Warm()
    {
        // The pings make the connections that flows share.
    }

    public void Leave(bool lost)
    {
        _api.Leave(lost);
        _flows.Leave(lost);
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) => SharedConnections > 0
        ? _flows.OpenAsync(lane => lane.OpenAsync(target, early, cancellationToken), cancellationToken)
        : _api.OpenAsync(lane => lane.OpenAsync(target, cancellationToken), cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        _api.OpenAsync(lane => lane.OpenDatagramsAsync(target, cancellationToken), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _flows.DisposeAsync();
        await _api.DisposeAsync();
    }
}
