using Fairlead.Tunnel.Link;
using Fairlead.Tunnel.Tls;
using Microsoft.Extensions.Logging;

namespace Fairlead.Tunnel.Mux;

/// <summary>TCP flows over several shared connections, so that a busy one doesn't delay what is new and no replica's loss is the link's.</summary>
/// <param name="dial">An unauthenticated connection to the data port of some replica; told those that are in use.</param>
internal sealed partial class MuxLanes(Func<IReadOnlyList<string>, CancellationToken, Task<Stream>> dial, TunnelTls tls, Func<string> where, int width, ILogger logger, TimeProvider time) : IAsyncDisposable
{
    /// <summary>Two replicas may drain at once; a fourth answer of the same kind won't help.</summary>
    private const int MaxAttempts = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Between attempts at the first connection: a gateway of the previous version never has one, a new one soon.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private Task _keeping = Task.CompletedTask;
    private long _notBefore;

    private readonly ReplicaConnections<MuxLane> _lanes = new(
        async (inUse, cancellationToken) => await MuxLane.OpenAsync(await dial(inUse, cancellationToken), tls, where(), cancellationToken), width, logger, time);

    /// <summary>Connections that new flows may go by.</summary>
    public int Count => _lanes.Usable.Count;

    public void Expect(int replicas) => _lanes.Expect(replicas);

    /// <summary>
    /// Pings the connections, and makes them, without anybody waiting for it: whether the gateway is there is the API's to say. To be called by one at a
    /// time, as often as the API is pinged.
    /// </summary>
    public void Keep()
    {
        if (_keeping.IsCompleted && !_stop.IsCancellationRequested && (Count > 0 || time.GetTimestamp() >= _notBefore))
        {
            _keeping = Task.Run(PingAsync);
        }
    }

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

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _keeping;
        await _lanes.DisposeAsync();
        _stop.Dispose();
    }

    private async Task PingAsync()
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stop.Token);
        try
        {
            await _lanes.PingAsync(either.Token);
        }
        catch (Exception e) when (e is CarrierException or OperationCanceledException)
        {
            LogNone(e.Message);
            _notBefore = time.GetTimestamp() + (long)(Pause.TotalSeconds * time.TimestampFrequency);
        }
    }

    [LoggerMessage(EventId = 313, Level = LogLevel.Debug, Message = "No connection for flows to share: {Why}")]
    private partial void LogNone(string why);
}
