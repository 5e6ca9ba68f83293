using System.Net.WebSockets;
using System.Text;

namespace Fairlead.Tests.Kubernetes.Streams;

/// <summary>The far end of an exec or port-forward: frames by hand, as a kubelet writes them.</summary>
internal sealed class MockKubelet(WebSocket socket)
{
    public string? Protocol => socket.SubProtocol;

    /// <summary>An API server that upgrades every request to <paramref name="protocol"/> and hands it to the test.</summary>
    public static Task<MockApi> StartAsync(Func<MockKubelet, Task> handler, string protocol = "v4.channel.k8s.io", bool tls = false) =>
        MockApi.StartAsync(async (context, _) =>
        {
            if (!context.WebSockets.IsWebSocketRequest)
            {
                await MockApi.FailAsync(context, 400, "BadRequest", "an upgrade is needed");
                return;
            }

            context.WebSockets.WebSocketRequestedProtocols.ShouldContain(protocol);
            using var socket = await context.WebSockets.AcceptWebSocketAsync(protocol);
            await handler(new MockKubelet(socket));
        }, tls);

    public Task SendAsync(byte channel, string text, bool end = true) => SendAsync([channel, .. Encoding.UTF8.GetBytes(text)], end);

    public Task SendAsync(byte[] frame, bool end = true) => socket.SendAsync(frame, WebSocketMessageType.Binary, end, CancellationToken.None);

    public async Task CloseAsync(WebSocketCloseStatus status = WebSocketCloseStatus.NormalClosure, string? reason = null) =>
        await socket.CloseOutputAsync(status, reason, CancellationToken.None);

    public void Abort() => socket.Abort();

    /// <summary>The next message, its channel first; null when the client closed. A message must be one frame.</summary>
    public async Task<(byte Channel, string Text)?> ReceiveAsync()
    {
        var buffer = new byte[64 * 1024];
        var frame = await socket.ReceiveAsync(buffer, CancellationToken.None);
        if (frame.MessageType == WebSocketMessageType.Close)
        {
            return null;
        }

        frame.EndOfMessage.ShouldBeTrue("servers read frame by frame");
        return (buffer[0], Encoding.UTF8.GetString(buffer, 1, frame.Count - 1));
    }

    public static async Task<string> ReadToEndAsync(Stream stream)
    {
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
