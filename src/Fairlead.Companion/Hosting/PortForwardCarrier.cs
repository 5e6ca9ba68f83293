using System.Net.Sockets;
using Fairlead.Companion.Administration;
using Fairlead.Contracts.Cluster;
using Fairlead.Contracts.Errors;
using Fairlead.Contracts.Local;
using Fairlead.Kubernetes;

namespace Fairlead.Companion.Hosting;

/// <summary>
/// Bytes between the daemon and a port of a gateway's pod. Each carrier is a connection to the API server of its own, because within one there is no flow control between
/// ports; and it lasts, because closing one costs the node a second of waiting for the other direction. The bytes are the daemon's TLS: nothing
/// of them can be read here.
/// </summary>
internal static class PortForwardCarrier
{
    /// <summary>Taken from one side at a time: up, four TLS records and a frame of SPDY; down, whatever the node sends in several.</summary>
    private const int BufferSize = 128 * 1024;

    /// <summary>Less room than a TLS record needs is not worth another read.</summary>
    private const int LeastRoom = 16 * 1024;

    /// <summary>Returns once the pod's node has taken the connection; the stream is the caller's.</summary>
    /// <exception cref="FairleadException">There is no pod to connect to.</exception>
    /// <exception cref="KubernetesException">The API server refused or doesn't answer.</exception>
    public static async Task<Stream> OpenAsync(KubernetesClient client, OpenCarrier wanted, CancellationToken cancellationToken) =>
        await client.ConnectPodAsync(wanted.Cluster.Namespace, wanted.Pod ?? await FindAsync(client, wanted.Cluster.Namespace, cancellationToken), wanted.Port, cancellationToken);

    /// <summary>Copies both ways until either side ends. Disposes both streams.</summary>
    /// <returns>Why it ended; null when either side closed it.</returns>
    public static async Task<string?> RelayAsync(Stream daemon, Stream pod, CancellationToken cancellationToken)
    {
        await using var stopped = cancellationToken.UnsafeRegister(_ => End(), null);
        var up = CopyAsync(daemon, pod);
        var down = CopyAsync(pod, daemon);

        // Neither side can be half-closed: what runs inside says its ends itself.
        var first = await await Task.WhenAny(up, down);
        End();
        await Task.WhenAll(up, down);
        return cancellationToken.IsCancellationRequested ? null : first;

        void End()
        {
            daemon.Dispose();
            pod.Dispose();
        }
    }

    private static async Task<string> FindAsync(KubernetesClient client, string ns, CancellationToken cancellationToken)
    {
        var pods = await client.ListAsync(Resources.Pods, ns, $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", cancellationToken: cancellationToken);
        var ready = pods.Items.Where(pod => pod.Metadata.DeletionTimestamp is null && pod.Status?.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) == true).ToList();
        return ready.Count > 0 ? ready[Random.Shared.Next(ready.Count)].Metadata.Name! : throw new FairleadException(
            ErrorCategory.NotConnected, "gateway-no-pod", "There is no gateway to connect to", $"no pod of {ClusterObjects.Gateway} in namespace {ns} is ready", "fairlead gateway status");
    }

    /// <summary>Takes all that is there before it writes: the node sends in small pieces, and each write costs the other side a wake-up.</summary>
    private static async Task<string?> CopyAsync(Stream from, Stream to)
    {
        var buffer = new byte[BufferSize];

        // What was read and not yet written; the read that is under way puts its bytes after it.
        int begin = 0, end = 0;
        try
        {
            var reading = from.ReadAsync(buffer);
            while (true)
            {
                var count = await reading;
                end += count;
                var full = BufferSize - end < LeastRoom;
                if (count > 0 && !full)
                {
                    reading = from.ReadAsync(buffer.AsMemory(end));
                    if (reading.IsCompletedSuccessfully)
                    {
                        continue;
                    }
                }

                await to.WriteAsync(buffer.AsMemory(begin, end - begin));
                if (count == 0)
                {
                    return null;
                }

                begin = end;
                if (full)
                {
                    begin = end = 0;
                    reading = from.ReadAsync(buffer);
                }
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or SocketException)
        {
            // Also of what was disposed: SslStream calls itself unauthenticated when that comes between its two checks.
            return e.Message;
        }
    }
}
