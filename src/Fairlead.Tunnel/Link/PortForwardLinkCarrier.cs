using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Mux;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Everything inside our own TLS inside port-forwards through the cluster's API server, each a connection of its own: forwards that share one have no flow
/// control between them. The connections last, and flows end inside them: a forward whose far side closes first costs a second. TCP flows share
/// connections to the pods' data port; all else, and TCP where a gateway of the previous version has no such connections, goes over HTTP/2.
/// </summary>
internal sealed class PortForwardLinkCarrier : ICarrier
{
    /// <summary>Two to each of two replicas.</summary>
    private const int Width = 4;

    /// <summary>Control and UDP are little: two, so that the loss of one costs no dial.</summary>
    private const int ApiWidth = 2;

    private readonly IPodDialer _dialer;
    private readonly HttpLanes _api;
    private readonly MuxLanes _flows;
    private readonly Dictionary<string, long> _lastDial = [];
    private readonly TimeProvider _time;
    private volatile IReadOnlyList<string> _pods;
    private volatile string _through = "the cluster's API server";

    /// <param name="pods">Of the gateway, as far as they are known.</param>
    /// <param name="apiPort">The pods' port of the API.</param>
    /// <param name="dataPort">The pods' port of flows.</param>
    public PortForwardLinkCarrier(IPodDialer dialer, IReadOnlyList<string> pods, int apiPort, int dataPort, TunnelTls tls, ILogger logger, TimeProvider time)
    {
        _dialer = dialer;
        _pods = pods;
        _time = time;
        _api = new HttpLanes((inUse, cancellationToken) => DialAsync(inUse, apiPort, cancellationToken), tls, () => Where, ApiWidth, logger, time);
        _flows = new MuxLanes((inUse, cancellationToken) => DialAsync(inUse, dataPort, cancellationToken), tls, () => Where, Width, logger, time);
    }

    /// <summary>Connections that flows may be opened on now.</summary>
    internal int SharedConnections => _flows.Count;

    public string Name => CarrierNames.PortForward;

    public string Where => _through;

    public IReadOnlyCollection<string> Replicas => _api.Replicas;

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _api.SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken)
    {
        _flows.Keep();
        return _api.PingAsync(cancellationToken);
    }

    public void Expect(IReadOnlyList<string> pods)
    {
        _pods = pods;
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

    /// <summary>To the known pod with the fewest connections; one that doesn't answer is passed over, and in the end the cluster is asked for any.</summary>
    private async Task<Stream> DialAsync(IReadOnlyList<string> inUse, int port, CancellationToken cancellationToken)
    {
        FairleadException? first = null;
        foreach (var pod in _pods.OrderBy(pod => inUse.Count(used => used == pod)).ThenBy(pod => _lastDial.GetValueOrDefault(pod)).Append(null))
        {
            try
            {
                if (pod is not null)
                {
                    // A pod that takes the connection and is dead behind it is not the first choice the next time. Dials come one at a time.
                    _lastDial[pod] = _time.GetTimestamp();
                }

                var connection = await _dialer.DialAsync(pod, port, cancellationToken);
                _through = connection.Through;
                return connection.Stream;
            }
            catch (FairleadException e)
            {
                // Why no known pod could be reached says more than that pods may not be listed.
                first ??= e;
                if (e.Error.Category != ErrorCategory.Failed)
                {
                    break;
                }
            }
        }

        throw new CarrierException(first!.Error, refused: false, first);
    }
}
