using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Streaming;

/// <summary>
/// Port-forward over a WebSocket as kubelets do it (https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/server/portforward/websocket.go):
/// port i of the query has stream 2i for data and 2i+1 for an error, each of which begins with the port's number as two bytes, little
/// endian. There is no half-close; the connection ends when every forward has.
/// </summary>
internal sealed class PortForward(ChannelSocket socket, JsonObject pod, INodeAgent node, IReadOnlyList<int> ports)
{
    /// <summary>Two streams each must be numbered in one byte.</summary>
    private const int PortLimit = 127;

    private readonly TaskCompletionSource<Stream?>[] streams = [.. ports.Select(_ => new TaskCompletionSource<Stream?>(TaskCreationOptions.RunContinuationsAsynchronously))];

    public static async Task RunAsync(HttpContext context, JsonObject pod, INodeAgent node, CancellationToken stopping)
    {
        var ports = Ports(context.Request.Query);
        using var alive = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var accepted = await ChannelSocket.AcceptAsync(context, "v4.channel.k8s.io");
        try
        {
            await new PortForward(accepted, pod, node, ports).CarryAsync(alive);
        }
        catch (Exception failure) when (failure is OperationCanceledException or WebSocketException)
        {
            // The client has gone or the server stops.
        }
    }

    private async Task CarryAsync(CancellationTokenSource end)
    {
        for (var i = 0; i < ports.Count; i++)
        {
            await socket.SendAsync(Preamble((byte)(2 * i), ports[i]), end.Token);
            await socket.SendAsync(Preamble((byte)((2 * i) + 1), ports[i]), end.Token);
        }

        var input = ReceiveAsync(end);
        try
        {
            await Task.WhenAll(ports.Select((port, index) => ForwardAsync(index, port, end.Token)));
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", end.Token);
            end.CancelAfter(ChannelSocket.CloseTimeout);
        }
        catch
        {
            await end.CancelAsync();
            throw;
        }
        finally
        {
            await input;
        }
    }

    /// <summary>From the pod to the client, until the pod has no more.</summary>
    private async Task ForwardAsync(int index, int port, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await node.DialPodAsync(pod.Namespace()!, pod.Name(), port, cancellationToken);
            streams[index].SetResult(stream);
            await socket.CopyFromAsync(stream, (byte)(2 * index), cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or SocketException or StatusException)
        {
            var message = $"error forwarding port {port} to pod {pod.Name()}, uid {pod.Uid()}: {failure.Message}";
            await socket.SendAsync((byte[])[(byte)((2 * index) + 1), .. Encoding.UTF8.GetBytes(message)], cancellationToken);
        }
        finally
        {
            streams[index].TrySetResult(null);
        }
    }

    /// <summary>From the client to the pods; that it has gone ends everything.</summary>
    private async Task ReceiveAsync(CancellationTokenSource end)
    {
        try
        {
            while (await socket.ReceiveAsync(end.Token) is { } message)
            {
                var channel = message.Length > 1 ? message.Span[0] : byte.MaxValue;
                if (channel % 2 == 0 && channel / 2 < streams.Length && await streams[channel / 2].Task.WaitAsync(end.Token) is { } stream)
                {
                    await WriteAsync(stream, message[1..], end.Token);
                }
            }

            await end.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The other direction has ended.
        }
    }

    private static async Task WriteAsync(Stream stream, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(data, cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            // The pod takes no more; its own direction reports how it ended.
        }
    }

    private static byte[] Preamble(byte channel, int port)
    {
        var message = new byte[3];
        message[0] = channel;
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(1), (ushort)port);
        return message;
    }

    /// <summary>The query's <c>ports</c>, repeated or separated by commas.</summary>
    private static int[] Ports(IQueryCollection query)
    {
        var texts = query["ports"].SelectMany(value => (value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        int[] ports = [.. texts.Select(text =>
            ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0
                ? (int)port
                : throw Failures.BadRequest($"unable to parse \"{text}\" as a port"))];
        return ports.Length is > 0 and <= PortLimit ? ports : throw Failures.BadRequest($"query parameter \"ports\" must name 1 to {PortLimit} ports");
    }
}
