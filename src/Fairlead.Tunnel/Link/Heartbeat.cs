using Fairlead.Tunnel.Tls;

namespace Fairlead.Tunnel.Link;

/// <summary>Whether a connection lives: by the answer to a ping.</summary>
internal static class Heartbeat
{
    /// <summary>Two heartbeats of the link, and well below its two seconds.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1.2);

    /// <returns>Null when it was answered; else what is wrong, as soon as nothing came for <see cref="Patience"/>.</returns>
    public static async Task<CarrierException?> AskAsync(IReplicaConnection connection, TimeProvider time, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var received = connection.Received;
        var ping = connection.PingAsync(enough.Token);
        try
        {
            while (true)
            {
                try
                {
                    await ping.WaitAsync(Patience, time, CancellationToken.None);
                    return null;
                }
                catch (TimeoutException) when (connection.Received != received)
                {
                    // What a saturated flow brings over a thin line is before the answer in the same queue.
                    received = connection.Received;
                }
            }
        }
        catch (Exception e) when (e is CarrierException or OperationCanceledException or TimeoutException or ObjectDisposedException)
        {
            await enough.CancelAsync();
            await ping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return LinkProblems.Of(e, connection.Replica);
        }
    }
}
