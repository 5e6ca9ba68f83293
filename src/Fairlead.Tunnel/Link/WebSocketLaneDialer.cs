using System.Net;
using Fairlead.Contracts.Gateway;
using Fairlead.Tunnel.Dial;
using Fairlead.Tunnel.WebSocket;

namespace Fairlead.Tunnel.Link;

/// <summary>By WebSockets to the API's port: goes wherever HTTPS goes.</summary>
internal sealed class WebSocketLaneDialer(GatewayEndpoint endpoint, IWebProxy? proxy) : ILaneDialer
{
    private readonly WebSocketDialer _dialer = new(new GatewayDialer(proxy));

    public string Name => CarrierNames.WebSocket;

    public string Where { get; } = $"{endpoint.Host}:{endpoint.ApiPort}";

    public Task<Stream> DialAsync(LanePort port, IReadOnlyList<string> inUse, CancellationToken cancellationToken) =>
        _dialer.ConnectAsync(endpoint.Host, endpoint.ApiPort, port == LanePort.Api ? GatewayApi.Tunnel : GatewayApi.TunnelOfFlows, cancellationToken);

    public void Expect(IReadOnlyList<string> pods)
    {
        // Which replica takes a connection is the ingress's choice.
    }
}
