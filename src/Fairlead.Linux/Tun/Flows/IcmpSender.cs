using Fairlead.Linux.Tun.Packets;
using Fairlead.Platform.Capture;

namespace Fairlead.Linux.Tun.Flows;

/// <summary>Sends ICMP errors to programs, not more than a good stack would (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)). Thread-safe.</summary>
internal sealed class IcmpSender(IPacketSink sink, TimeProvider time)
{
    /// <summary>As many as Linux sends in all (net.ipv4.icmp_msgs_per_sec).</summary>
    internal const int PerSecond = 1000;

    private readonly Lock gate = new();
    private long began = time.GetTimestamp();
    private int sent;

    /// <summary>
    /// About a whole packet, or as much of one as is known. It comes from the packet's destination, also where a router would speak: the device's own address is one of this host, and
    /// no host believes a packet that comes to it from itself.
    /// </summary>
    public void Tell(ReadOnlySpan<byte> packet, bool isV6, IcmpError error, uint information = 0)
    {
        if (!TryTake())
        {
            return;
        }

        var (source, destination) = Ip.ReadAddresses(packet, isV6);
        Span<byte> frame = stackalloc byte[PacketWriter.MaxAnswer];
        sink.ToPrograms(frame[..PacketWriter.WriteError(packet, isV6, destination, source, error, information, frame)]);
    }

    private bool TryTake()
    {
        lock (gate)
        {
            if (time.GetElapsedTime(began) >= TimeSpan.FromSeconds(1))
            {
                began = time.GetTimestamp();
                sent = 0;
            }

            return sent++ < PerSecond;
        }
    }
}

internal static class RefusalCodes
{
    public static IcmpError ToIcmp(this CaptureRefusal refusal) => refusal switch
    {
        CaptureRefusal.Refused => IcmpError.PortUnreachable,
        CaptureRefusal.Prohibited => IcmpError.Prohibited,
        _ => IcmpError.HostUnreachable,
    };
}
