using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Sockets;

/// <summary>
/// Receives datagrams together with where they were sent to. Address and port come from the packet (IP_RECVORIGDSTADDR, ip(7)):
/// IP_PKTINFO would give no port, and the socket's own is not the one that the program sent to. Owns the socket.
/// </summary>
internal sealed class UdpIntake : IDisposable
{
    /// <summary>One socket takes every service's datagrams, so it gets more room than a program's: about 2 000 small datagrams of burst.</summary>
    private const int ReceiveBuffer = 4 << 20;

    private readonly Socket socket;

    public UdpIntake(IPAddress address)
    {
        socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            Span<byte> one = [1, 0, 0, 0];
            socket.SetRawSocketOption(Libc.SolIp, Libc.IpOriginalDestination, one);
            Span<byte> size = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(size, ReceiveBuffer);
            socket.SetRawSocketOption(Libc.SolSocket, Libc.SoReceiveBufferForce, size);
            socket.Bind(new IPEndPoint(address, 0));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public SafeSocketHandle Handle => socket.SafeHandle;

    public async ValueTask<CapturedDatagram> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (TryReceive(buffer.Span) is { } datagram)
            {
                return datagram;
            }

            // Peeking waits for the next datagram and leaves it there: only recvmsg(2) tells where it was sent to.
            await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.Peek, cancellationToken);
        }
    }

    public void Dispose() => socket.Dispose();

    /// <summary>Null when nothing waits. What is longer than the buffer is read and forgotten.</summary>
    private unsafe CapturedDatagram? TryReceive(Span<byte> buffer)
    {
        const int ControlSize = 64;
        var control = stackalloc byte[ControlSize];
        Libc.InternetAddress client = default;
        fixed (byte* payload = buffer)
        {
            var vector = new Libc.IoVector { Base = payload, Length = (nuint)buffer.Length };
            while (true)
            {
                var message = new Libc.MessageHeader
                {
                    Name = &client,
                    NameLength = (uint)sizeof(Libc.InternetAddress),
                    Vectors = &vector,
                    VectorCount = 1,
                    Control = control,
                    ControlLength = ControlSize,
                };
                var length = Libc.ReceiveMessage(Handle, &message, Libc.MessageDontWait);
                if (length < 0)
                {
                    switch (Errno.Last)
                    {
                        case Errno.Interrupted:
                            continue;
                        case Errno.Again:
                            return null;
                        default:
                            throw Errno.Failure("can't receive a captured datagram");
                    }
                }

                var header = (Libc.ControlHeader*)control;
                if ((message.Flags & Libc.MessageTruncated) != 0 || message.ControlLength < (nuint)(sizeof(Libc.ControlHeader) + sizeof(Libc.InternetAddress))
                    || header->Level != Libc.SolIp || header->Type != Libc.IpOriginalDestination)
                {
                    continue;
                }

                var destination = (Libc.InternetAddress*)(header + 1);
                return new CapturedDatagram(EndPoint(client), EndPoint(*destination), (int)length);
            }
        }
    }

    private static IPEndPoint EndPoint(in Libc.InternetAddress address) =>
        new(new IPAddress(address.Address), BinaryPrimitives.ReverseEndianness(address.Port));
}
