using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Everything inside our own TLS inside WebSockets to the API's port: goes wherever HTTPS goes. TCP flows share connections; all else, and TCP where a
/// gateway of the previous version has no such connections, goes over HTTP/2.
/// </summary>
internal sealed class WebSocketLinkCarrier : ICarrier
{
    /// <summary>Two to each of two replicas.</summary>
    private const int Width = 4;

    /// <summary>Control and UDP are little: two, so that the loss of one costs no dial.</summary>
    private const int ApiWidth = 2;

    private readonly HttpLanes _api;
    private readonly MuxLanes _flows;

    public WebSocketLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, IWebProxy? proxy, ILogger logger, TimeProvider time)
    {
        Where = $"{endpoint.Host}:{endpoint.ApiPort}";
        var dialer = new WebSocketDialer(new GatewayDialer(proxy));
        _api = new HttpLanes((_, cancellationToken) => dialer.ConnectAsync(endpoint.Host, endpoint.ApiPort, GatewayApi.Tunnel, cancellationToken), tls, () => Where, ApiWidth, logger, time);
        _flows = new MuxLanes((_, cancellationToken) => dialer.ConnectAsync(endpoint.Host, endpoint.ApiPort, GatewayApi.TunnelOfFlows, cancellationToken), tls, () => Where, Width, logger, time);
    }

    /// <summary>Connections that flows may be opened on now.</summary>
    internal int SharedConnections => _flows.Count;

    public string Name => CarrierNames.WebSocket;

    public string Where { get; }

    public IReadOnlyCollection<string> Replicas => _api.Replicas;

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _api.SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken)
    {
        _flows.Keep();
        return _api.PingAsync(cancellationToken);
    }

    public void Expect(IReadOnlyList<string> pods)
    {
        _api.Expect(pods.Count);
        _flows.Expect(pods.Count);
    }

    public void Warm()
    {
        // The pings make the connections that flows share.
    }

    public Task QuiesceAsync()
    {
        _api.RetireAll();
        _flows.RetireAll();
        return Task.CompletedTask;
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) =>
        _flows.Count > 0 ? _flows.OpenAsync(target, early, cancellationToken) : _api.OpenAsync(target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _api.OpenDatagramsAsync(target, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _flows.DisposeAsync();
        await _api.DisposeAsync();
    }
}
