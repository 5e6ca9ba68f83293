using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Tests.Linux.Tun;

/// <summary>Packets as the RFCs write them, made without the code under test, with checksums by the book.</summary>
internal static class Packet
{
    public static byte[] Tcp(string source, int sourcePort, string destination, int destinationPort, TcpFlags flags, uint sequence = 1000, uint acknowledgment = 0, params byte[] data)
    {
        var segment = new byte[20 + data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)destinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), sequence);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), acknowledgment);
        segment[12] = 0x50;
        segment[13] = (byte)flags;
        data.CopyTo(segment, 20);
        return Ip(source, destination, 6, WithChecksum(source, destination, 6, segment, 16));
    }

    public static byte[] Udp(string source, int sourcePort, string destination, int destinationPort, params byte[] data)
    {
        var datagram = new byte[8 + data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), (ushort)destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        data.CopyTo(datagram, 8);
        return Ip(source, destination, 17, WithChecksum(source, destination, 17, datagram, 6));
    }

    public static byte[] Echo(string source, string destination, ushort identifier, ushort sequence, params byte[] data)
    {
        var v6 = source.Contains(':');
        var message = new byte[8 + data.Length];
        message[0] = (byte)(v6 ? 128 : 8);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), identifier);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(6), sequence);
        data.CopyTo(message, 8);
        var protocol = (byte)(v6 ? 58 : 1);
        return Ip(source, destination, protocol, WithChecksum(source, destination, protocol, message, 2));
    }

    /// <param name="between">IPv6 extension headers, or IPv4 options.</param>
    public static byte[] Ip(string source, string destination, byte protocol, byte[] payload, byte[]? between = null, ushort fragment = 0, ushort identification = 7)
    {
        between ??= [];
        var (from, to) = (IPAddress.Parse(source).GetAddressBytes(), IPAddress.Parse(destination).GetAddressBytes());
        if (from.Length == 16)
        {
            var six = new byte[8];
            six[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(six.AsSpan(4), (ushort)(between.Length + payload.Length));
            six[6] = protocol;
            six[7] = 64;
            return [.. six, .. from, .. to, .. between, .. payload];
        }

        var four = new byte[12];
        four[0] = (byte)(0x45 + between.Length / 4);
        BinaryPrimitives.WriteUInt16BigEndian(four.AsSpan(2), (ushort)(20 + between.Length + payload.Length));
        BinaryPrimitives.WriteUInt16BigEndian(four.AsSpan(4), identification);
        BinaryPrimitives.WriteUInt16BigEndian(four.AsSpan(6), fragment);
        four[8] = 64;
        four[9] = protocol;
        byte[] header = [.. four, .. from, .. to, .. between];
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), Sum(header));
        return [.. header, .. payload];
    }

    public static byte[] Frame(byte[] packet, VirtioHeader header = default)
    {
        byte[] frame = [.. new byte[VirtioHeader.Size], .. packet];
        frame[0] = header.Flags;
        frame[1] = header.SegmentType;
        BitConverter.TryWriteBytes(frame.AsSpan(4), header.SegmentSize);
        BitConverter.TryWriteBytes(frame.AsSpan(6), header.ChecksumStart);
        BitConverter.TryWriteBytes(frame.AsSpan(8), header.ChecksumOffset);
        return frame;
    }

    /// <summary>Both the IP header's and the transport's checksum are right.</summary>
    public static bool IsRight(ReadOnlySpan<byte> packet)
    {
        if (packet[0] >> 4 == 4)
        {
            var header = packet[..((packet[0] & 15) * 4)];
            return Sum(header) == 0 && IsRight(new IPAddress(packet[12..16]), new IPAddress(packet[16..20]), packet[9], packet[header.Length..]);
        }

        return IsRight(new IPAddress(packet[8..24]), new IPAddress(packet[24..40]), packet[6], packet[40..]);
    }

    public static ushort Sum(ReadOnlySpan<byte> data)
    {
        uint sum = 0;
        for (var i = 0; i < data.Length; i++)
        {
            sum += (uint)data[i] << (i % 2 == 0 ? 8 : 0);
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    private static bool IsRight(IPAddress source, IPAddress destination, byte protocol, ReadOnlySpan<byte> payload) =>
        Sum([.. PseudoHeader(source, destination, protocol, payload.Length), .. payload]) == 0;

    private static byte[] WithChecksum(string source, string destination, byte protocol, byte[] message, int at)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(at), Sum([.. PseudoHeader(IPAddress.Parse(source), IPAddress.Parse(destination), protocol, message.Length), .. message]));
        return message;
    }

    private static byte[] PseudoHeader(IPAddress source, IPAddress destination, byte protocol, int length) =>
        protocol == 1 && source.AddressFamily == AddressFamily.InterNetwork
            ? []
            : [.. source.GetAddressBytes(), .. destination.GetAddressBytes(), 0, protocol, (byte)(length >> 8), (byte)length];
}
