using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Http;

/// <summary>
/// Flows and requests over several connections to the gateway's API, so that a busy one doesn't delay what is new and no replica's loss is the
/// link's. An open that meets a lost or draining replica goes to another one before anybody hears of it.
/// </summary>
/// <param name="dial">An unauthenticated connection to the API of some replica; told those that are in use.</param>
internal sealed class HttpLanes(Func<IReadOnlyList<string>, CancellationToken, Task<Stream>> dial, TunnelTls tls, Func<string> where, int width, ILogger logger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Two replicas may drain at once; a fourth answer of the same kind won't help.</summary>
    private const int MaxAttempts = 4;

    private readonly ReplicaConnections<Lane> _lanes = new(
        async (inUse, cancellationToken) => await Lane.OpenAsync(await dial(inUse, cancellationToken), tls, where(), cancellationToken), width, logger, time);

    public IReadOnlyCollection<string> Replicas => [.. _lanes.Replicas.Distinct()];

    public void Expect(int replicas) => _lanes.Expect(replicas);

    public Task PingAsync(CancellationToken cancellationToken) => _lanes.PingAsync(cancellationToken);

    public void RetireAll() => _lanes.RetireAll();

    public ValueTask<FlowOpening<IFlow>> OpenAsync(FlowTarget target, CancellationToken cancellationToken) =>
        OpenAsync(static (lane, target, token) => lane.OpenAsync(target, token), target, cancellationToken);

    public ValueTask<FlowOpening<IDatagramFlow>> OpenDatagramsAsync(FlowTarget target, CancellationToken cancellationToken) =>
        OpenAsync(static (lane, target, token) => lane.OpenDatagramsAsync(target, token), target, cancellationToken);

    /// <exception cref="CarrierException">No connection could be had.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        await (await TakeAsync(cancellationToken)).SendAsync(request, cancellationToken);

    public ValueTask DisposeAsync() => _lanes.DisposeAsync();

    private async ValueTask<Lane> TakeAsync(CancellationToken cancellationToken) =>
        _lanes.Usable.Where(lane => lane.HasRoom).MinBy(lane => lane.Load) ?? await _lanes.AddAsync(lane => lane.HasRoom, cancellationToken);

    private async ValueTask<FlowOpening<T>> OpenAsync<T>(Func<Lane, FlowTarget, CancellationToken, ValueTask<FlowOpening<T>>> open, FlowTarget target, CancellationToken cancellationToken)
        where T : class
    {
        var refusal = new FlowRefusal(FlowFailure.LinkDown, "No replica of the gateway answers.");
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            Lane lane;
            try
            {
                lane = await TakeAsync(cancellationToken);
            }
            catch (CarrierException e)
            {
                return new FlowOpening<T>(null, new FlowRefusal(FlowFailure.LinkDown, e.Error.Why is null ? e.Message : $"{e.Message}: {e.Error.Why}"));
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(lane.Lost, cancellationToken);
            try
            {
                var opening = await open(lane, target, either.Token);
                if (opening.Refusal is not { Failure: FlowFailure.LinkDown or FlowFailure.Draining } why)
                {
                    return opening;
                }

                refusal = why;
                _lanes.Retire(lane, lost: why.Failure == FlowFailure.LinkDown);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The lane was lost while it was asked.
            }
        }

        return new FlowOpening<T>(null, refusal);
    }
}
