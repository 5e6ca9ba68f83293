using System.Buffers;
using System.Net.Sockets;
using Fairlead.Tunnel;

namespace Fairlead.Daemon.Run;

/// <summary>A connected UDP or ping socket of this host as a datagram flow. Owns the socket.</summary>
/// <param name="header">
/// Bytes before a datagram of the flow in what the socket sends and receives: none for UDP; for ping (icmp(7)) an echo request's up to its sequence number,
/// of which the kernel fills in checksum and identifier.
/// </param>
internal sealed class SocketDatagramFlow(Socket socket, ReadOnlyMemory<byte> header) : IDatagramFlow
{
    /// <summary>Of UDP over IPv4, as of an echo request with its header.</summary>
    private const int MaxDatagram = 65_507;

    public bool HasDatagram => socket.Available > 0;

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var received = ArrayPool<byte>.Shared.Rent(MaxDatagram + header.Length);
        try
        {
            while (true)
            {
                var count = await socket.ReceiveAsync(received, SocketFlags.None, cancellationToken) - header.Length;
                if (count >= 0 && count <= buffer.Length)
                {
                    received.AsMemory(header.Length, count).CopyTo(buffer);
                    return count;
                }
            }
        }
        catch (SocketException e)
        {
            throw new FlowAbortedException(HostOpener.FailureOf(e.SocketErrorCode), e.Message, e);
        }
        catch (ObjectDisposedException)
        {
            return -1;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(received);
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken = default)
    {
        try
        {
            if (header.IsEmpty)
            {
                await socket.SendAsync(datagram, SocketFlags.None, cancellationToken);
            }
            else
            {
                await socket.SendAsync((byte[])[.. header.Span, .. datagram.Span], SocketFlags.None, cancellationToken);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.MessageSize or SocketError.NoBufferSpaceAvailable)
        {
            // Too long for the way, or the way is full: lost, as datagrams may be.
        }
        catch (SocketException e)
        {
            throw new FlowAbortedException(HostOpener.FailureOf(e.SocketErrorCode), e.Message, e);
        }
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public ValueTask AbortAsync(FlowRefusal reason, CancellationToken cancellationToken = default) => DisposeAsync();

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
