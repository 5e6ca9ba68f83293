using System.Net.Sockets;

namespace Fairlead.Tunnel;

/// <summary>
/// What an application sent before its flow was open. It travels with the request to open the flow, so that a new connection to a service costs one
/// round trip to the gateway instead of two. What was sent to a gateway that then vanished without an answer is never sent again to another: the
/// flow is reset, as any connection is whose far end died. Not thread-safe; reads the socket only when asked.
/// </summary>
public sealed class EarlyData(Socket socket)
{
    /// <summary>With the open it fits one TLS record; a request's head hardly ever needs more.</summary>
    internal const int MaxLength = 8 * 1024;

    private byte[]? _taken;

    internal Socket Socket => socket;

    /// <summary>Completes when the application sent something, or its end, or the socket failed.</summary>
    internal Task Arrived => Waited ??= WaitAsync();

    /// <summary><see cref="Arrived"/> if it was ever asked for: until it completes nobody else should wait at the socket.</summary>
    internal Task? Waited { get; private set; }

    /// <summary>What <see cref="Take"/> took.</summary>
    internal ReadOnlyMemory<byte> Taken => _taken;

    /// <summary>The gateway accepted the flow with <see cref="Taken"/>: it must not be written again.</summary>
    internal bool Delivered { get; set; }

    /// <summary>What has arrived by now, without waiting; the same bytes each time once there are any.</summary>
    internal ReadOnlyMemory<byte> Take()
    {
        if (_taken is null)
        {
            try
            {
                if (socket.Available is > 0 and var available)
                {
                    var buffer = new byte[Math.Min(available, MaxLength)];
                    var count = socket.Receive(buffer);
                    _taken = count == buffer.Length ? buffer : buffer[..count];
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Reset already: the relay will see it, too.
            }
        }

        return _taken;
    }

    private async Task WaitAsync()
    {
        try
        {
            await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // As in Take.
        }
    }
}
