using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Mux;

/// <summary>TCP flows over several shared connections, so that a busy one doesn't delay what is new and no replica's loss is the link's.</summary>
/// <param name="dial">An unauthenticated connection to the data port of some replica; told those that are in use.</param>
internal sealed class MuxLanes(Func<IReadOnlyList<string>, CancellationToken, Task<Stream>> dial, TunnelTls tls, Func<string> where, int width, ILogger logger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Two replicas may drain at once; a fourth answer of the same kind won't help.</summary>
    private const int MaxAttempts = 4;

    private readonly ReplicaConnections<MuxLane> _lanes = new(
        async (inUse, cancellationToken) => await MuxLane.OpenAsync(await dial(inUse, cancellationToken), tls, where(), cancellationToken), width, logger, time);

    /// <summary>Connections that new flows may go by.</summary>
    public int Count => _lanes.Usable.Count;

    public void Expect(int replicas) => _lanes.Expect(replicas);

    /// <exception cref="CarrierException">No replica answers.</exception>
    public Task PingAsync(CancellationToken cancellationToken) => _lanes.PingAsync(cancellationToken);

    public void RetireAll() => _lanes.RetireAll();

    /// <summary>An open that meets a lost or draining replica goes to another one before anybody hears of it.</summary>
    public async ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, EarlyData? early, CancellationToken cancellationToken)
    {
        var refusal = new FlowRefusal(FlowFailure.LinkDown, "No replica of the gateway answers.");
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            MuxLane lane;
            try
            {
                lane = _lanes.Usable.Where(l => l.HasRoom).MinBy(l => l.Load) ?? await _lanes.AddAsync(l => l.HasRoom, cancellationToken);
            }
            catch (CarrierException e)
            {
                return new FlowOpening<IFlow>(null, new FlowRefusal(FlowFailure.LinkDown, e.Error.Why is null ? e.Message : $"{e.Message}: {e.Error.Why}"));
            }

            var opening = await lane.OpenAsync(target, early, cancellationToken);
            if (opening.Refusal is not { Failure: FlowFailure.LinkDown or FlowFailure.Draining } why)
            {
                return opening;
            }

            refusal = why;
            _lanes.Retire(lane, lost: why.Failure == FlowFailure.LinkDown);
        }

        return new FlowOpening<IFlow>(null, refusal);
    }

    public ValueTask DisposeAsync() => _lanes.DisposeAsync();
}
