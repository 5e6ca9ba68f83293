using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Linux.Tun;

/// <summary>Sends datagrams and echo replies to programs, in fragments where the device's MTU asks for them. Thread-safe.</summary>
internal sealed class MessageSender(TunFile programs, int mtu)
{
    private const int Header = 8;
    private const int MaxPayload = 65_507;
    private const int UdpChecksum = 6;
    private const byte EchoReply = 0;
    private const byte EchoReplyV6 = 129;

    private int identification = Random.Shared.Next();

    /// <exception cref="SocketException">It is too long, or the device is down.</exception>
    public void SendUdp(IPEndPoint source, IPEndPoint destination, ReadOnlySpan<byte> payload)
    {
        Check(payload.Length);
        var from = Ip.FromAddress(source.Address);
        var to = Ip.FromAddress(destination.Address);
        Span<byte> frame = stackalloc byte[FragmentCursor.MaxHeader + Header];
        var length = Header + payload.Length;
        var ipLength = Ip.IsV6(from) ? IpHeader.V6Length : IpHeader.V4Length;
        if (ipLength + length <= mtu)
        {
            // The kernel fills in the checksum where a program can see it: nowhere, mostly.
            frame[..VirtioHeader.Size].Clear();
            var packet = frame[VirtioHeader.Size..];
            PacketWriter.WriteIp(packet, from, to, IpHeader.Udp, length);
            var udp = packet.Slice(ipLength, Header);
            WriteUdpHeader(udp, source.Port, destination.Port, length);
            Checksum.Write(udp[UdpChecksum..], Checksum.Fold(Checksum.PseudoHeader(packet[(Ip.IsV6(from) ? 8 : 12)..ipLength], IpHeader.Udp, length)));
            VirtioHeader.WritePartial(frame, ipLength, UdpChecksum);
            if (!programs.Write(frame[..(VirtioHeader.Size + ipLength + Header)], payload))
            {
                throw new SocketException((int)SocketError.NetworkDown);
            }

            return;
        }

        var message = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            WriteUdpHeader(message, source.Port, destination.Port, length);
            payload.CopyTo(message.AsSpan(Header));
            Send(from, to, IpHeader.Udp, message.AsSpan(0, length), UdpChecksum);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    /// <exception cref="SocketException">It is too long, or the device is down.</exception>
    public void SendEchoReply(UInt128 source, UInt128 destination, ushort identifier, ushort sequence, ReadOnlySpan<byte> data)
    {
        Check(data.Length);
        var length = Header + data.Length;
        var message = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var v6 = Ip.IsV6(source);
            message.AsSpan(0, 4).Clear();
            message[0] = v6 ? EchoReplyV6 : EchoReply;
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), identifier);
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), sequence);
            data.CopyTo(message.AsSpan(Header));
            Send(source, destination, v6 ? IpHeader.IcmpV6 : IpHeader.Icmp, message.AsSpan(0, length), 2);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }

    private static void Check(int length)
    {
        if (length > MaxPayload)
        {
            throw new SocketException((int)SocketError.MessageSize);
        }
    }

    private static void WriteUdpHeader(Span<byte> udp, int sourcePort, int destinationPort, int length)
    {
        BinaryPrimitives.WriteUInt16BigEndian(udp, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(udp[2..], (ushort)destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)length);
        udp[6..8].Clear();
    }

    /// <param name="message">With its header, whose checksum is still zero.</param>
    private void Send(UInt128 source, UInt128 destination, byte protocol, Span<byte> message, int checksumAt)
    {
        Span<byte> addresses = stackalloc byte[32];
        var half = Ip.Write(source, addresses);
        Ip.Write(destination, addresses[half..]);
        var pseudo = protocol == IpHeader.Icmp ? 0 : Checksum.PseudoHeader(addresses[..(2 * half)], protocol, message.Length);
        var checksum = (ushort)~Checksum.Fold(Checksum.Add(pseudo, message));
        Checksum.Write(message[checksumAt..], checksum == 0 && protocol == IpHeader.Udp ? (ushort)0xffff : checksum);
        Span<byte> header = stackalloc byte[FragmentCursor.MaxHeader];
        var fragments = new FragmentCursor(source, destination, protocol, message.Length, mtu, (uint)Interlocked.Increment(ref identification));
        while (fragments.Next(header, out var headerLength, out var at, out var count))
        {
            if (!programs.Write(header[..headerLength], message.Slice(at, count)))
            {
                throw new SocketException((int)SocketError.NetworkDown);
            }
        }
    }
}
