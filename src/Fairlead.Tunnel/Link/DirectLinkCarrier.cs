using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.Direct;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>TCP flows on direct connections to the data port; UDP flows and control on HTTP/2 to the API's port.</summary>
internal sealed class DirectLinkCarrier : ICarrier
{
    private readonly GatewayEndpoint _endpoint;
    private readonly TunnelTls _tls;
    private readonly GatewayDialer _dialer;
    private readonly DirectCarrier _direct;
    private readonly HttpCarrier _http;
    private DirectConnection? _ping;
    private long _pings;

    public DirectLinkCarrier(GatewayEndpoint endpoint, TunnelTls tls, DirectCarrierOptions options, IWebProxy? proxy, ILogger logger, TimeProvider time)
    {
        _endpoint = endpoint;
        _tls = tls;
        _dialer = new GatewayDialer(proxy);
        _direct = new DirectCarrier(new DnsEndPoint(endpoint.Host, endpoint.DataPort), tls, options, logger, time, proxy);
        _http = new HttpCarrier(tls.ServerName, ConnectApiAsync);
    }

    public string Name => "direct";

    public string Where => $"{_endpoint.Host}:{_endpoint.DataPort}";

    public async Task<Stream> ConnectApiAsync(CancellationToken cancellationToken)
    {
        var transport = await ApiConnector.DialAsync(_dialer, _endpoint.Host, _endpoint.ApiPort, cancellationToken);
        return await ApiConnector.AuthenticateAsync(transport, _tls, $"{_endpoint.Host}:{_endpoint.ApiPort}", cancellationToken);
    }

    public async Task PingAsync(CancellationToken cancellationToken)
    {
        try
        {
            _ping ??= await _direct.DialAsync(cancellationToken);
            await _direct.PingAsync(_ping, _pings++, cancellationToken);
        }
        catch
        {
            await ClosePingAsync();
            throw;
        }
    }

    public void Warm() => _direct.Warm();

    public async Task QuiesceAsync()
    {
        await ClosePingAsync();
        _direct.ClearIdle();
    }

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken) => _direct.OpenAsync(target, early, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) => _http.OpenDatagramsAsync(target, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await ClosePingAsync();
        await _direct.DisposeAsync();
        await _http.DisposeAsync();
    }

    private async ValueTask ClosePingAsync()
    {
        if (_ping is { } ping)
        {
            _ping = null;
            await ping.DisposeAsync();
        }
    }
}
