using System.Collections.Concurrent;
using Fairlead.Contracts.Errors;
using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>
/// By port-forwards through the cluster's API server, each a connection of its own: forwards that share one have no flow control between them. The
/// connections last, and flows end inside them: a forward whose far side closes first costs a second.
/// </summary>
/// <param name="pods">Of the gateway, as far as they are known.</param>
/// <param name="apiPort">The pods' port of the API.</param>
/// <param name="dataPort">The pods' port of flows.</param>
internal sealed class PortForwardLaneDialer(IPodDialer dialer, IReadOnlyList<string> pods, int apiPort, int dataPort, TimeProvider time) : ILaneDialer
{
    private readonly ConcurrentDictionary<string, long> _lastDial = [];
    private volatile IReadOnlyList<string> _pods = pods;
    private volatile string _through = "the cluster's API server";

    public string Name => CarrierNames.PortForward;

    public string Where => _through;

    /// <summary>To the known pod with the fewest connections; one that doesn't answer is passed over, and in the end the cluster is asked for any.</summary>
    public async Task<Stream> DialAsync(LanePort port, IReadOnlyList<string> inUse, CancellationToken cancellationToken)
    {
        FairleadException? first = null;
        foreach (var pod in _pods.OrderBy(pod => inUse.Count(used => used == pod)).ThenBy(pod => _lastDial.GetValueOrDefault(pod)).Append(null))
        {
            try
            {
                if (pod is not null)
                {
                    // A pod that takes the connection and is dead behind it is not the first choice the next time.
                    _lastDial[pod] = time.GetTimestamp();
                }

                var connection = await dialer.DialAsync(pod, port == LanePort.Api ? apiPort : dataPort, cancellationToken);
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

    public void Expect(IReadOnlyList<string> pods) => _pods = pods;
}
