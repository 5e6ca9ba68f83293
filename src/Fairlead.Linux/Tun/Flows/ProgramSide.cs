using System.Buffers.Binary;
using Fairlead.Linux.Tun.Packets;

namespace Fairlead.Linux.Tun.Flows;

/// <summary>
/// Judges every packet that programs send into the device: TCP goes to the translator, datagrams and pings are handed out, the rest is dropped or answered as RFC 1122 and RFC 4443
/// want it. Sees packets one at a time (one thread). Never throws for what a packet holds.
/// </summary>
internal sealed class ProgramSide : IDisposable
{
    private const int UdpHeader = 8;
    private const int UdpChecksum = 6;
    private const int EchoHeader = 8;
    private const int MaxEcho = 65_507;

    private readonly TcpTranslator tcp;
    private readonly IcmpSender icmp;
    private readonly IPacketSink sink;
    private readonly Reassembly fragments;

    public ProgramSide(TcpTranslator tcp, IcmpSender icmp, IPacketSink sink)
    {
        this.tcp = tcp;
        this.icmp = icmp;
        this.sink = sink;
        fragments = new Reassembly(first => icmp.Tell(first.Span, first.Span[0] >> 4 == 6, IcmpError.ReassemblyTimeout));
    }

    /// <param name="frame">A virtio header and a packet, as read from the device. It may be rewritten.</param>
    /// <param name="now">Seconds.</param>
    public void Take(Span<byte> frame, int now)
    {
        if (frame.Length < VirtioHeader.Size)
        {
            sink.Drop();
            return;
        }

        var packet = frame[VirtioHeader.Size..];
        var fault = IpHeader.TryRead(packet, out var ip, out var pointer);
        if (fault != PacketFault.None)
        {
            Blame(packet, fault, pointer);
            return;
        }

        var (source, destination) = Ip.ReadAddresses(packet, ip.IsV6);
        if (!Ip.IsUnicast(source, ip.IsV6) || !Ip.IsUnicast(destination, ip.IsV6))
        {
            sink.Drop();
            return;
        }

        if (ip.IsFragment)
        {
            var whole = fragments.Add(packet, ip, now);
            if (!whole.IsEmpty)
            {
                Take(whole, now);
            }

            return;
        }

        Take(frame, packet, ip, now);
    }

    /// <summary>Gives up what has waited too long. To be called about once a second.</summary>
    public void Sweep(int now) => fragments.Sweep(now);

    public void Dispose() => fragments.Dispose();

    private void Take(Span<byte> frame, ReadOnlySpan<byte> packet, in IpHeader ip, int now)
    {
        var virtio = VirtioHeader.Read(frame);
        if (!virtio.Fits(ip.IsV6, ip.Protocol) || (virtio.IsPartial && !IsPartialChecksumRight(virtio, ip)))
        {
            sink.Drop();
            return;
        }

        switch (ip.Protocol)
        {
            case IpHeader.Tcp:
                tcp.FromProgram(frame, ip, virtio.IsPartial, now);
                break;
            case IpHeader.Udp:
                TakeUdp(packet, ip, virtio);
                break;
            case IpHeader.Icmp when !ip.IsV6:
            case IpHeader.IcmpV6 when ip.IsV6:
                TakeIcmp(packet, ip);
                break;
            case IpHeader.NoNext when ip.IsV6:
                sink.Drop();
                break;
            default:
                icmp.Tell(packet[..ip.Length], ip.IsV6, IcmpError.ProtocolUnreachable, ip.IsV6 ? (uint)ip.NextHeaderField : 0);
                break;
        }
    }

    /// <summary>The field that is to be filled in must be the transport's own.</summary>
    private static bool IsPartialChecksumRight(in VirtioHeader virtio, in IpHeader ip) => virtio.ChecksumStart == ip.Transport && ip.Protocol switch
    {
        IpHeader.Tcp => virtio.ChecksumOffset == TcpHeader.ChecksumOffset,
        IpHeader.Udp => virtio.ChecksumOffset == UdpChecksum,
        _ => false,
    };

    private void TakeUdp(ReadOnlySpan<byte> packet, in IpHeader ip, in VirtioHeader virtio)
    {
        if (ip.PayloadLength < UdpHeader)
        {
            sink.Drop();
            return;
        }

        var key = FlowKey.Read(packet, ip);
        if (virtio.SegmentType == VirtioHeader.UdpSegments)
        {
            // Many datagrams of one size in one packet (UDP_SEGMENT, udp(7)); the last may be shorter.
            for (var rest = packet[(ip.Transport + UdpHeader)..ip.Length]; !rest.IsEmpty;)
            {
                var datagram = rest[..Math.Min(virtio.SegmentSize, rest.Length)];
                HandOut(key, datagram);
                rest = rest[datagram.Length..];
            }

            return;
        }

        var udp = packet[ip.Transport..ip.Length];
        int length = BinaryPrimitives.ReadUInt16BigEndian(udp[4..]);
        if (length < UdpHeader || length > udp.Length || !(virtio.IsPartial || IsUdpChecksumRight(packet, ip, length)))
        {
            sink.Drop();
            return;
        }

        HandOut(key, udp[UdpHeader..length]);
    }

    /// <summary>None is allowed for IPv4 only (RFC 768, RFC 8200 §8.1).</summary>
    private static bool IsUdpChecksumRight(ReadOnlySpan<byte> packet, in IpHeader ip, int length) =>
        Checksum.Read(packet[(ip.Transport + UdpChecksum)..]) == 0 ? !ip.IsV6 : ip.IsChecksumRight(packet, length);

    private void HandOut(in FlowKey key, ReadOnlySpan<byte> datagram)
    {
        if (!sink.TryHandOut(key, datagram))
        {
            sink.Drop();
        }
    }

    /// <summary>Errors about what we sent, and messages of other kinds, are of no use to anybody here.</summary>
    private void TakeIcmp(ReadOnlySpan<byte> packet, in IpHeader ip)
    {
        var message = packet[ip.Transport..ip.Length];
        if (message.Length < EchoHeader || message.Length > EchoHeader + MaxEcho || message[0] != (ip.IsV6 ? IpHeader.EchoRequestV6 : IpHeader.EchoRequest) || message[1] != 0
            || !ip.IsChecksumRight(packet, message.Length))
        {
            sink.Drop();
            return;
        }

        var (source, destination) = Ip.ReadAddresses(packet, ip.IsV6);
        if (!sink.TryHandOut(source, destination, BinaryPrimitives.ReadUInt16BigEndian(message[4..]), BinaryPrimitives.ReadUInt16BigEndian(message[6..]), message[EchoHeader..]))
        {
            sink.Drop();
        }
    }

    private void Blame(ReadOnlySpan<byte> packet, PacketFault fault, int pointer)
    {
        sink.Drop();
        if (fault is PacketFault.UnrecognisedOption or PacketFault.RoutingHeader)
        {
            var (source, destination) = Ip.ReadAddresses(packet, isV6: true);
            if (Ip.IsUnicast(source, isV6: true) && Ip.IsUnicast(destination, isV6: true))
            {
                var error = fault == PacketFault.RoutingHeader ? IcmpError.ErroneousHeader : IcmpError.UnrecognisedOption;
                icmp.Tell(packet, isV6: true, error, (uint)pointer);
            }
        }
    }
}
