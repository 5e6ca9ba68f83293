using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Link;

/// <summary>A connection that flows share. It isn't redialled: another lane takes its place.</summary>
internal interface ILane : IReplicaConnection
{
    /// <summary>Another flow may be opened on it.</summary>
    bool HasRoom { get; }

    /// <summary>Less is better for a new flow.</summary>
    int Load { get; }
}

/// <summary>
/// Flows over several connections, so that a busy one doesn't delay what is new and no replica's loss is the link's: each goes to the one that has least to do.
/// </summary>
internal sealed class Lanes<T>(Func<IReadOnlyList<string>, CancellationToken, Task<T>> dial, int width, ILogger logger, TimeProvider time)
    : ReplicaConnections<T>(dial, width, logger, time)
    where T : class, ILane
{
    /// <summary>Two replicas may drain at once; a fourth answer of the same kind won't help.</summary>
    private const int MaxAttempts = 4;

    /// <summary>The lane for what is new; one more is made when none has room.</summary>
    /// <exception cref="CarrierException">None could be had.</exception>
    public async ValueTask<T> TakeAsync(CancellationToken cancellationToken) =>
        Usable.Where(lane => lane.HasRoom).MinBy(lane => lane.Load) ?? await AddAsync(lane => lane.HasRoom, cancellationToken);

    /// <summary>An open that meets a lost or draining replica goes to another one before anybody hears of it.</summary>
    /// <param name="open">Refused with <see cref="FlowFailure.LinkDown"/> or <see cref="FlowFailure.Draining"/>, nothing was done: another lane may be asked.</param>
    public async ValueTask<FlowOpening<TFlow>> OpenAsync<TFlow>(Func<T, ValueTask<FlowOpening<TFlow>>> open, CancellationToken cancellationToken)
        where TFlow : class
    {
        for (var attempt = 1; ; attempt++)
        {
            T lane;
            try
            {
                lane = await TakeAsync(cancellationToken);
            }
            catch (CarrierException e)
            {
                return new FlowOpening<TFlow>(null, LinkProblems.RefusalOf(e));
            }

            var opening = await open(lane);
            if (opening.Refusal is not { Failure: FlowFailure.LinkDown or FlowFailure.Draining } why)
            {
                return opening;
            }

            Retire(lane, lost: why.Failure == FlowFailure.LinkDown);
            if (attempt == MaxAttempts)
            {
                return opening;
            }
        }
    }
}
