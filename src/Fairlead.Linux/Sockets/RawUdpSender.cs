using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Native;

namespace Fairlead.Linux.Sockets;

/// <summary>
/// Sends UDP datagrams of this host from any of its addresses and ports, without a socket bound there: a bound one would take
/// the port from local programs, and IP_PKTINFO sets the address only. The IPv4 and UDP headers are written here (raw(7)). Needs CAP_NET_RAW.
/// </summary>
internal sealed class RawUdpSender : IDisposable
{
    private const int Ipv4Header = 20;
    private const int UdpHeader = 8;
    private const int MaxPayload = 65535 - Ipv4Header - UdpHeader;

    /// <summary>Stays blocking: the loopback device takes each packet at once.</summary>
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Raw);

    /// <exception cref="SocketException">The host refused it.</exception>
    public unsafe void Send(IPEndPoint source, IPEndPoint destination, ReadOnlySpan<byte> payload)
    {
        if (payload.Length > MaxPayload)
        {
            throw new SocketException((int)SocketError.MessageSize);
        }

        Span<byte> header = stackalloc byte[Ipv4Header + UdpHeader];
        WriteHeader(header, source, destination, payload.Length);
        var name = new Libc.InternetAddress { Family = 2, Address = BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) };
        fixed (byte* headerPointer = header)
        fixed (byte* payloadPointer = payload)
        {
            var vectors = stackalloc Libc.IoVector[2];
            vectors[0] = new Libc.IoVector { Base = headerPointer, Length = (nuint)header.Length };
            vectors[1] = new Libc.IoVector { Base = payloadPointer, Length = (nuint)payload.Length };
            var message = new Libc.MessageHeader { Name = &name, NameLength = (uint)sizeof(Libc.InternetAddress), Vectors = vectors, VectorCount = 2 };
            while (Libc.SendMessage(socket.SafeHandle, &message, Libc.MessageNoSignal) < 0)
            {
                switch (Errno.Last)
                {
                    case Errno.Interrupted:
                        continue;
                    case Errno.MessageSize:
                        throw new SocketException((int)SocketError.MessageSize);
                    case Errno.PermissionDenied or Errno.AccessDenied:
                        throw new SocketException((int)SocketError.AccessDenied);
                    default:
                        throw new SocketException((int)SocketError.SocketError, Errno.Failure("can't send a datagram").Message);
                }
            }
        }
    }

    public void Dispose() => socket.Dispose();

    /// <summary>
    /// RFC 791 and RFC 768. Length, identification and checksum of the IP header are the kernel's (raw(7)); a UDP checksum of 0 means none, which
    /// IPv4 allows, and the packet never leaves this host.
    /// </summary>
    internal static void WriteHeader(Span<byte> header, IPEndPoint source, IPEndPoint destination, int payloadLength)
    {
        header.Clear();
        header[0] = 0x45;
        header[8] = 64;
        header[9] = (byte)ProtocolType.Udp;
        if (!source.Address.TryWriteBytes(header[12..], out var sourceLength) || !destination.Address.TryWriteBytes(header[16..], out var destinationLength)
            || sourceLength != 4 || destinationLength != 4)
        {
            throw new ArgumentException("Both ends must be IPv4.", nameof(destination));
        }

        BinaryPrimitives.WriteUInt16BigEndian(header[20..], (ushort)source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header[22..], (ushort)destination.Port);
        BinaryPrimitives.WriteUInt16BigEndian(header[24..], (ushort)(UdpHeader + payloadLength));
    }
}
