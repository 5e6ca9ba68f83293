using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Fairlead.Tunnel.Relay;

/// <summary>
/// UDP, connected. Datagrams of one size that are sent together pass the kernel as one, which is cut apart where they arrive or leave the machine (UDP_SEGMENT, udp(7)): all of
/// them then cost about what one does. Where that can't be, one by one. Owns the socket.
/// </summary>
public sealed class UdpDatagramSocket(Socket socket) : IDatagramSocket
{
    private const int UdpLevel = 17;
    private const int SegmentOption = 103;

    /// <summary>UDP_MAX_SEGMENTS of Linux before 6.9.</summary>
    private const int MaxSegments = 64;

    /// <summary>Of IPv4 and UDP, and so of all segments together.</summary>
    private const int MaxDatagram = 65_507;

    private bool segments = OperatingSystem.IsLinux();
    private int segmentSize;
    private byte[]? batch;
    private int bytes;
    private int count;
    private int size;

    public bool HasDatagram => socket.Available > 0;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken)
    {
        // Only the last of those that are cut from one may be shorter, and none may be empty.
        if (count > 0 && (!segments || count == MaxSegments || datagram.Length > size || datagram.IsEmpty || bytes % size != 0 || bytes + datagram.Length > MaxDatagram))
        {
            await FlushAsync(cancellationToken);
        }

        if (datagram.IsEmpty)
        {
            await socket.SendAsync(datagram, cancellationToken);
            return;
        }

        batch ??= ArrayPool<byte>.Shared.Rent(MaxDatagram);
        datagram.CopyTo(batch.AsMemory(bytes));
        size = count == 0 ? datagram.Length : size;
        bytes += datagram.Length;
        count++;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (batch is not { } filled)
        {
            return;
        }

        var (all, many) = (bytes, count > 1);
        batch = null;
        bytes = count = 0;
        if (!many || !await TrySendSegmentsAsync(filled.AsMemory(0, all), cancellationToken))
        {
            for (var at = 0; at < all; at += size)
            {
                var datagram = filled.AsMemory(at, Math.Min(size, all - at));
                if (datagram.Length > segmentSize && segmentSize > 0)
                {
                    SetSegmentSize(0);
                }

                await socket.SendAsync(datagram, cancellationToken);
            }
        }

        // Not after a failure: whatever went wrong may still read it.
        ArrayPool<byte>.Shared.Return(filled);
    }

    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken) => socket.ReceiveAsync(buffer, cancellationToken);

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <returns>False: they must be sent one by one, and nothing was sent.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> TrySendSegmentsAsync(ReadOnlyMemory<byte> all, CancellationToken cancellationToken)
    {
        try
        {
            if (segmentSize != size)
            {
                SetSegmentSize(size);
            }

            await socket.SendAsync(all, cancellationToken);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.InvalidArgument or SocketError.MessageSize or SocketError.ProtocolOption or SocketError.OperationNotSupported)
        {
            // Longer than the way takes in one piece, which only datagrams that are sent as such may be (in fragments); or a kernel before 4.18.
            segments = false;
            return false;
        }
    }

    private void SetSegmentSize(int length)
    {
        socket.SetRawSocketOption(UdpLevel, SegmentOption, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length)));
        segmentSize = length;
    }
}
