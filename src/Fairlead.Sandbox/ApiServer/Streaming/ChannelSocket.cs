using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;

namespace Fairlead.Sandbox.ApiServer.Streaming;

/// <summary>
/// A WebSocket that carries several streams: the first byte of each binary message is the number of its stream
/// (https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go).
/// Sends are serialised here; there is one reader.
/// </summary>
internal sealed class ChannelSocket(WebSocket socket) : IDisposable
{
    /// <summary>The largest message taken from a client; kubectl sends up to 32 KiB at a time.</summary>
    private const int MessageLimit = 1024 * 1024;

    /// <summary>
    /// How long the client may take to read what was sent and answer the close: the connection is reset before only if it doesn't.
    /// </summary>
    public static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim sending = new(1, 1);
    private byte[] received = new byte[64 * 1024];

    public string? Protocol => socket.SubProtocol;

    /// <summary>Upgrades the request to the first of <paramref name="protocols"/> that the client offers.</summary>
    /// <exception cref="StatusException">400: no WebSocket (SPDY isn't there), or none of the protocols.</exception>
    public static async Task<ChannelSocket> AcceptAsync(HttpContext context, params IReadOnlyList<string> protocols)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            throw Failures.BadRequest("Upgrade request required: the sandbox takes WebSocket only, not SPDY");
        }

        var offered = context.WebSockets.WebSocketRequestedProtocols;
        var chosen = protocols.FirstOrDefault(offered.Contains)
            ?? throw Failures.BadRequest($"unable to upgrade: none of the subprotocols [{string.Join(' ', offered)}] is one of [{string.Join(' ', protocols)}]");
        return new ChannelSocket(await context.WebSockets.AcceptWebSocketAsync(chosen));
    }

    /// <summary>The next message, good until the next call; null when the client has closed or gone.</summary>
    public async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(received.AsMemory(length), cancellationToken);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    return null;
                }

                length += part.Count;
                if (part.EndOfMessage)
                {
                    return received.AsMemory(0, length);
                }

                if (length == received.Length)
                {
                    if (length >= MessageLimit)
                    {
                        await CloseAsync(WebSocketCloseStatus.MessageTooBig, "message too big", cancellationToken);
                        return null;
                    }

                    Array.Resize(ref received, length * 2);
                }
            }
        }
        catch (WebSocketException)
        {
            return null; // Gone without a close frame.
        }
    }

    /// <param name="framed">The stream's number and then the bytes.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task SendAsync(ReadOnlyMemory<byte> framed, CancellationToken cancellationToken)
    {
        await sending.WaitAsync(cancellationToken);
        try
        {
            await socket.SendAsync(framed, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>Sends all of <paramref name="source"/> on one stream.</summary>
    public async Task CopyFromAsync(Stream source, byte channel, CancellationToken cancellationToken)
    {
        var buffer = new byte[32 * 1024];
        buffer[0] = channel;
        while (await source.ReadAsync(buffer.AsMemory(1), cancellationToken) is > 0 and var count)
        {
            await SendAsync(buffer.AsMemory(0, count + 1), cancellationToken);
        }
    }

    public async Task CloseAsync(WebSocketCloseStatus status, string why, CancellationToken cancellationToken)
    {
        if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
        {
            await socket.CloseOutputAsync(status, why, cancellationToken);
        }
    }

    /// <summary>Waits for the client's close, reading past whatever it still sends.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(CloseTimeout);
        while (await ReceiveAsync(end.Token) is not null)
        {
            // Nobody is there to take it.
        }
    }

    public void Dispose()
    {
        sending.Dispose();
        socket.Dispose();
    }
}
