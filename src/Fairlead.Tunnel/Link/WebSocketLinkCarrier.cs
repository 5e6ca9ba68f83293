using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Fairlead.Tunnel.WebSocket;

namespace Fairlead.Tunnel.Link;

/// <summary>Everything on HTTP/2 inside our own TLS inside a WebSocket to the API's port: goes wherever HTTPS goes.</summary>
internal sealed class WebSocketLinkCarrier : ICarrier
{
    private readonly GatewayEndpoint _endpoint;
    private readonly TunnelTls _tls;
    private readonly WebSocketDialer _dialer;
    private readonly HttpCarrier _http;

    public WebSocketLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, IWebProxy? proxy)
    {
        _endpoint = endpoint;
        _tls = tls;
        _dialer = new WebSocketDialer(new GatewayDialer(proxy));
        _http = new HttpCarrier(tls.ServerName, ConnectApiAsync);
    }

    public string Name => "websocket";

    public string Where => $"{_endpoint.Host}:{_endpoint.ApiPort}";

    public async Task<Stream> ConnectApiAsync(CancellationToken cancellationToken)
    {
        var transport = await _dialer.ConnectAsync(_endpoint.Host, _endpoint.ApiPort, cancellationToken);
        return await ApiConnector.AuthenticateAsync(transport, _tls, Where, cancellationToken);
    }

    public Task PingAsync(CancellationToken cancellationToken) => _http.PingAsync(cancellationToken);

    public void Warm()
    {
        // The ping has made the connection that flows share.
    }

    public Task QuiesceAsync() => Task.CompletedTask;

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) => _http.OpenAsync(target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenDatagramsAsync(target, cancellationToken);

    public ValueTask DisposeAsync() => _http.DisposeAsync();
}
