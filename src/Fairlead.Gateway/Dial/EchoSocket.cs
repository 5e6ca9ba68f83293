using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Fairlead.Tunnel.Relay;

namespace Fairlead.Gateway.Dial;

/// <summary>
/// Echo requests and replies by Linux's ping socket, which needs no capability but a group in <c>net.ipv4.ping_group_range</c> (icmp(7)): the kernel
/// sets identifier and checksum, and hands over replies to them only. Datagrams are as <see cref="Tunnel.IDatagramFlow"/> says.
/// </summary>
internal sealed class EchoSocket : IDatagramSocket
{
    /// <summary>After an echo request that nothing answers the far side counts as unreachable: longer than any network within a cluster takes.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Type, code, checksum, identifier: what a datagram begins after.</summary>
    private const int HeaderSize = 6;
    private const int MaxMessage = 65535;

    private readonly Socket socket;
    private readonly bool v6;
    private readonly TimeProvider time;
    private readonly CancellationTokenSource unanswered;
    private int waiting;

    private EchoSocket(Socket connected, TimeProvider clock)
    {
        socket = connected;
        v6 = connected.AddressFamily == AddressFamily.InterNetworkV6;
        time = clock;
        unanswered = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
    }

    /// <exception cref="SocketException"><see cref="SocketError.AccessDenied"/>: the process is in no group that may.</exception>
    public static EchoSocket Connect(IPAddress address, TimeProvider time)
    {
        var protocol = address.AddressFamily == AddressFamily.InterNetworkV6 ? ProtocolType.IcmpV6 : ProtocolType.Icmp;
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, protocol);
        try
        {
            socket.ReportAllErrors();
            socket.Connect(new IPEndPoint(address, 0));
            return new EchoSocket(socket, time);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>What has come may be no reply.</summary>
    public bool HasDatagram => false;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> datagram, CancellationToken cancellationToken)
    {
        if (datagram.Length < sizeof(ushort) || datagram.Length > MaxMessage - HeaderSize)
        {
            return;
        }

        // RFC 792; RFC 4443 §4.1.
        var message = ArrayPool<byte>.Shared.Rent(HeaderSize + datagram.Length);
        message.AsSpan(0, HeaderSize).Clear();
        message[0] = v6 ? (byte)128 : (byte)8;
        datagram.CopyTo(message.AsMemory(HeaderSize));
        if (Interlocked.Exchange(ref waiting, 1) == 0)
        {
            unanswered.CancelAfter(AnswerTimeout);
        }

        try
        {
            await socket.SendAsync(message.AsMemory(0, HeaderSize + datagram.Length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, unanswered.Token);
        try
        {
            while (true)
            {
                var length = await socket.ReceiveAsync(buffer, stop.Token) - HeaderSize;
                if (length < sizeof(ushort) || buffer.Span[0] != (v6 ? 129 : 0))
                {
                    continue;
                }

                unanswered.CancelAfter(Timeout.InfiniteTimeSpan);
                Volatile.Write(ref waiting, 0);
                buffer.Slice(HeaderSize, length).CopyTo(buffer);
                return length;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            // "Port unreachable", as proxies reject what they have no rule for: of an echo request, that says no more than unreachable.
            throw new SocketException((int)SocketError.HostUnreachable);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.HostUnreachable);
        }
    }

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        unanswered.Dispose();
        return ValueTask.CompletedTask;
    }
}
