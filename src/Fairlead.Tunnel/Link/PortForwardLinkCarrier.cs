using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Http;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// Everything on HTTP/2 inside our own TLS inside port-forwards through the cluster's API server, each a connection of its own: forwards that share one
/// have no flow control between them. The connections last, and flows end inside them: a forward whose far side closes first costs a second.
/// </summary>
internal sealed class PortForwardLinkCarrier : ICarrier
{
    /// <summary>Two to each of two replicas.</summary>
    private const int Width = 4;

    private readonly IPodDialer _dialer;
    private readonly int _port;
    private readonly HttpLanes _lanes;
    private readonly Dictionary<string, long> _lastDial = [];
    private readonly TimeProvider _time;
    private volatile IReadOnlyList<string> _pods;
    private volatile string _through = "the cluster's API server";

    /// <param name="pods">Of the gateway, as far as they are known.</param>
    /// <param name="port">The pods' port of the API.</param>
    public PortForwardLinkCarrier(IPodDialer dialer, IReadOnlyList<string> pods, int port, TunnelTls tls, ILogger logger, TimeProvider time)
    {
        _dialer = dialer;
        _pods = pods;
        _port = port;
        _time = time;
        _lanes = new HttpLanes(DialAsync, tls, () => Where, Width, logger, time);
    }

    public string Name => CarrierNames.PortForward;

    public string Where => _through;

    public IReadOnlyCollection<string> Replicas => _lanes.Replicas;

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _lanes.SendAsync(request, cancellationToken);

    public Task PingAsync(CancellationToken cancellationToken) => _lanes.PingAsync(cancellationToken);

    public void Expect(IReadOnlyList<string> pods)
    {
        _pods = pods;
        _lanes.Expect(pods.Count);
    }

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

    /// <summary>To the known pod with the fewest connections; one that doesn't answer is passed over, and in the end the cluster is asked for any.</summary>
    private async Task<Stream> DialAsync(IReadOnlyList<string> inUse, CancellationToken cancellationToken)
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

                var connection = await _dialer.DialAsync(pod, _port, cancellationToken);
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
