using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>Everything on HTTP/2 inside our own TLS inside WebSockets to the API's port: goes wherever HTTPS goes.</summary>
internal sealed class WebSocketLinkCarrier : ICarrier
{
    private const int Width = 4;

    private readonly HttpLanes _lanes;

    public WebSocketLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, IWebProxy? proxy, ILogger logger, TimeProvider time)
    {
        Where = $"{endpoint.Host}:{endpoint.ApiPort}";
        var dialer = new WebSocketDialer(new GatewayDialer(proxy));
        _lanes = new HttpLanes((_, cancellationToken) => dialer.ConnectAsync(endpoint.Host, endpoint.ApiPort, cancellationToken), tls, () => Where, Width, logger, time);
    }

    public string Name => CarrierNames.WebSocket;

    public string Where { get; }

    public IReadOnlyCollection<string> Replicas => _lanes.Replicas;

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _lanes.SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken) => _lanes.PingAsync(cancellationToken);

    public void Expect(IReadOnlyList<string> pods) => _lanes.Expect(pods.Count);

    public void Warm()
    {
        // The pings make the connections that flows share.
    }

    public Task QuiesceAsync()
    {
        _lanes.RetireAll();
        return Task.CompletedTask;
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) => _lanes.OpenAsync(target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _lanes.OpenDatagramsAsync(target, cancellationToken);

    public ValueTask DisposeAsync() => _lanes.DisposeAsync();
}
