using System.Buffers;
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
    /// <summary>Several TLS records at a time.</summary>
    private const int BufferSize = 64 * 1024;

    /// <summary>Returns once the pod's node has taken the connection; the stream is the caller's.</summary>
    /// <exception cref="FairleadException">There is no pod to connect to.</exception>
    /// <exception cref="KubernetesException">The API server refused or doesn't answer.</exception>
    public static async Task<Stream> OpenAsync(KubernetesClient client, OpenCarrier wanted, CancellationToken cancellationToken) =>
        await client.ConnectPodAsync(wanted.Cluster.Namespace, wanted.Pod ?? await FindAsync(client, wanted.Cluster.Namespace, cancellationToken), wanted.Port, cancellationToken);

    /// <summary>Copies both ways until either side ends.</summary>
    /// <returns>Why it ended; null when either side closed it.</returns>
    public static async Task<string?> RelayAsync(Stream daemon, Stream pod, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var up = CopyAsync(daemon, pod, stop.Token);
        var down = CopyAsync(pod, daemon, stop.Token);

        // Neither side can be half-closed: what runs inside says its ends itself.
        var first = await await Task.WhenAny(up, down);
        await stop.CancelAsync();
        await Task.WhenAll(up, down);
        return first;
    }

    private static async Task<string> FindAsync(KubernetesClient client, string ns, CancellationToken cancellationToken)
    {
        var pods = await client.ListAsync(Resources.Pods, ns, $"{ClusterObjects.NameLabel}={ClusterObjects.Gateway}", cancellationToken: cancellationToken);
        var ready = pods.Items.Where(pod => pod.Metadata.DeletionTimestamp is null && pod.Status?.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) == true).ToList();
        return ready.Count > 0 ? ready[Random.Shared.Next(ready.Count)].Metadata.Name! : throw new FairleadException(
            ErrorCategory.NotConnected, "gateway-no-pod", "There is no gateway to connect to", $"no pod of {ClusterObjects.Gateway} in namespace {ns} is ready", "fairlead gateway status");
    }

    private static async Task<string?> CopyAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            for (int count; (count = await from.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }

            return null;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return cancellationToken.IsCancellationRequested ? null : e.Message;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
